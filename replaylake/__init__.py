"""replaylake: streams of experience in, datasets that a learner can trust out.

Names are imported when they are first used: all of them together take two seconds, and the command,
which is a part of this package, must not wait for what a verb does not need.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake import Archive, Lake, Snapshot
    from replaylake.flows.ingest import ingest_follow, ingest_once
    from replaylake.flows.learning import evaluate, train
    from replaylake.flows.publishing import Publisher, publish_lines
    from schemas.archive_spec import ArchiveSpec
    from schemas.errors import ReplayLakeError
    from schemas.steps import Steps
    from validation import Gate, Suite
else:
    _HOMES = {
        "Archive": "lake",
        "ArchiveSpec": "schemas.archive_spec",
        "Gate": "validation",
        "Lake": "lake",
        "Publisher": "replaylake.flows.publishing",
        "ReplayLakeError": "schemas.errors",
        "Snapshot": "lake",
        "Steps": "schemas.steps",
        "Suite": "validation",
        "evaluate": "replaylake.flows.learning",
        "ingest_follow": "replaylake.flows.ingest",
        "ingest_once": "replaylake.flows.ingest",
        "publish_lines": "replaylake.flows.publishing",
        "train": "replaylake.flows.learning",
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
    "Gate",
    "Lake",
    "Publisher",
    "ReplayLakeError",
    "Snapshot",
    "Steps",
    "Suite",
    "evaluate",
    "ingest_follow",
    "ingest_once",
    "publish_lines",
    "train",
]
