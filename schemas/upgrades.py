"""Old forms of a record, brought to the version of today at the door."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import VersionError, WireError
from schemas.shown import shown
from schemas.step import WIRE_VERSION

_RENAMED = {
    "state": "observation",
    "action": "action",
    "reward": "reward",
    "next_state": "next_observation",
    "agent_id": "agent_id",
    "timestamp": "event_time",
    "priority": "priority",
}
_DEFINED = frozenset({*_RENAMED, "done", "version"})
# Keys by which records of version 1 say that `done` was a time limit.
_TIME_LIMIT_KEYS = ("truncated", "timeout", "TimeLimit.truncated")


def upgrade(record: Mapping[str, Any], position: str) -> Mapping[str, Any]:
    """Return the record in today's version; `position` names its place in the stream.

    A record without a version is told by its fields: `state` is version 1. Raise VersionError for a
    version that is not known. Nothing is lost: fields that version 1 did not define go to `info`.
    """
    version = record.get("version")
    if version is None:
        version = 1 if "state" in record and "observation" not in record else WIRE_VERSION
    if not _is_version(version, 1):
        return of_today(record)
    return _from_1(record, position)


def of_today(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record; raise VersionError where it says that it is of another version than today's."""
    version = record.get("version")
    if version is not None and not _is_version(version, WIRE_VERSION):
        raise VersionError(version, (1, WIRE_VERSION))
    return record


def _is_version(found: object, known: int) -> bool:
    return not isinstance(found, bool) and found == known


def _from_1(record: Mapping[str, Any], position: str) -> dict[str, Any]:
    """Turn `state, action, reward, next_state, done, agent_id, timestamp, priority` into a step.

    It has no episode and no turn, so its key is the hash of its content, or its stream position where
    it has no timestamp: two equal records without a time may be two experiences.
    """
    upgraded = {new: record[old] for old, new in _RENAMED.items() if record.get(old) is not None}
    done = record.get("done")
    if not isinstance(done, bool):
        raise WireError(f"done is {shown(done)}, and true or false is expected.", reason="wrong_type(done)")
    time_limit = done and _was_time_limit(record)
    upgraded["terminated"] = done and not time_limit
    upgraded["truncated"] = time_limit
    others = {name: value for name, value in record.items() if name not in _DEFINED}
    if others:
        upgraded["info"] = others
    upgraded["event_id"] = _identity(record) if "event_time" in upgraded else position
    return upgraded


def _was_time_limit(record: Mapping[str, Any]) -> bool:
    info = record.get("info")
    places = (record, info) if isinstance(info, Mapping) else (record,)
    return any(place.get(key) is True for place in places for key in _TIME_LIMIT_KEYS)


def _identity(record: Mapping[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return "v1-" + hashlib.blake2b(canonical.encode(errors="surrogatepass"), digest_size=16).hexdigest()
