"""The timeline: events become steps, over a stream and in bulk, with the same result."""

from ingest.timeline.bulk import build_steps
from ingest.timeline.job import TopicTimeline
from ingest.timeline.released import Released
from ingest.timeline.report import TimelineReport
from ingest.timeline.saved import SavedStates
from ingest.timeline.spec import EndEvents, RewardEvents, TimelineSpec
from ingest.timeline.stage import SavePolicy, TimelineStage
from ingest.timeline.stream import Timeline

__all__ = [
    "EndEvents",
    "Released",
    "RewardEvents",
    "SavePolicy",
    "SavedStates",
    "Timeline",
    "TimelineReport",
    "TimelineSpec",
    "TimelineStage",
    "TopicTimeline",
    "build_steps",
]
