"""Replay: rows of quarantine read again, judged again, and told from duplicates."""

from ingest.replay.reading import Failure, RecordMapper
from ingest.replay.rejudging import Rejudged, rejudge
from ingest.replay.settlement import Landed, Settlement, settle

__all__ = ["Failure", "Landed", "RecordMapper", "Rejudged", "Settlement", "rejudge", "settle"]
