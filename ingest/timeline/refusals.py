"""Why an event becomes no step, in the same words over a stream and in bulk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingest.records import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_RAW = 64 << 10
EVENT_BYTES = 256  # what holding an event costs beside its values


def late(raw: bytes, time: int, watermark: int) -> Refused:
    """Refuse an event that is older than the watermark was when it came."""
    return Refused(raw, "late", f"the event is of {_shown(time)}, and the watermark was {_shown(watermark)}")


def reward_without_step(raw: bytes, time: int) -> Refused:
    """Refuse a reward that belongs to no step that is known and inside its window."""
    return Refused(raw, "reward_without_step", f"no step for the reward of {_shown(time)}")


def end_without_step(raw: bytes, time: int) -> Refused:
    """Refuse an end where no session was open."""
    return Refused(raw, "end_without_step", f"no session is open at the end of {_shown(time)}")


def weight_of_raw(raw: bytes) -> int:
    """Return what holding an event that carries nothing but its bytes counts for."""
    return EVENT_BYTES + min(len(raw), MOST_RAW)


def _shown(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat()
