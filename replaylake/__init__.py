"""replaylake: streams of experience in, datasets that a learner can trust out.

Names are imported when they are first used: all of them together take two seconds, and the command,
which is a part of this package, must not wait for what a verb does not need.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.publishing.limits import Limits, Linger
    from ingest.wrappers.gymnasium import RecordSteps
    from ingest.wrappers.pettingzoo import RecordParallelSteps, RecordTurns
    from ingest.wrappers.vector import RecordVectorSteps
    from lake import Archive, Lake, QuarantineChoice, Snapshot
    from replaylake.flows.auditing import audit_archive, audit_history, last_audit
    from replaylake.flows.ingest import ingest_follow, ingest_once
    from replaylake.flows.learning import evaluate, train
    from replaylake.flows.publishing import (
        AsyncPublisher,
        Publisher,
        publish_files,
        publish_lines,
        publish_topic,
    )
    from replaylake.flows.quarantine import ReplayReport, replay_quarantine
    from replaylake.flows.timeline import timeline_follow, timeline_once
    from schemas.archive_spec import ArchiveSpec
    from schemas.errors import ReplayLakeError
    from schemas.steps import Steps
    from validation import (
        AuditReport,
        ExperienceReport,
        Gate,
        Reference,
        Suite,
        apply_constraints,
        check_consistency,
        detect_outliers,
        register_rule,
        validate_experience,
    )
else:
    _HOMES = {
        "Archive": "lake",
        "ArchiveSpec": "schemas.archive_spec",
        "AsyncPublisher": "replaylake.flows.publishing",
        "AuditReport": "validation",
        "ExperienceReport": "validation",
        "Gate": "validation",
        "Lake": "lake",
        "Limits": "ingest.publishing.limits",
        "Linger": "ingest.publishing.limits",
        "Publisher": "replaylake.flows.publishing",
        "QuarantineChoice": "lake",
        "RecordParallelSteps": "ingest.wrappers.pettingzoo",
        "RecordSteps": "ingest.wrappers.gymnasium",
        "RecordTurns": "ingest.wrappers.pettingzoo",
        "RecordVectorSteps": "ingest.wrappers.vector",
        "ReplayLakeError": "schemas.errors",
        "ReplayReport": "replaylake.flows.quarantine",
        "Snapshot": "lake",
        "Steps": "schemas.steps",
        "Suite": "validation",
        "apply_constraints": "validation",
        "audit_archive": "replaylake.flows.auditing",
        "audit_history": "replaylake.flows.auditing",
        "check_consistency": "validation",
        "Reference": "validation",
        "detect_outliers": "validation",
        "register_rule": "validation",
        "evaluate": "replaylake.flows.learning",
        "ingest_follow": "replaylake.flows.ingest",
        "ingest_once": "replaylake.flows.ingest",
        "last_audit": "replaylake.flows.auditing",
        "publish_files": "replaylake.flows.publishing",
        "publish_lines": "replaylake.flows.publishing",
        "publish_topic": "replaylake.flows.publishing",
        "replay_quarantine": "replaylake.flows.quarantine",
        "timeline_follow": "replaylake.flows.timeline",
        "timeline_once": "replaylake.flows.timeline",
        "train": "replaylake.flows.learning",
        "validate_experience": "validation",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "Archive",
    "ArchiveSpec",
    "AsyncPublisher",
    "AuditReport",
    "ExperienceReport",
    "Gate",
    "Lake",
    "Limits",
    "Linger",
    "Publisher",
    "QuarantineChoice",
    "RecordParallelSteps",
    "RecordSteps",
    "RecordTurns",
    "RecordVectorSteps",
    "Reference",
    "ReplayLakeError",
    "ReplayReport",
    "Snapshot",
    "Steps",
    "Suite",
    "apply_constraints",
    "audit_archive",
    "audit_history",
    "check_consistency",
    "detect_outliers",
    "evaluate",
    "ingest_follow",
    "ingest_once",
    "last_audit",
    "publish_files",
    "publish_lines",
    "publish_topic",
    "register_rule",
    "replay_quarantine",
    "timeline_follow",
    "timeline_once",
    "train",
    "validate_experience",
]
