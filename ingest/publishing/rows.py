"""One row of a publisher: checked when it is given, so that a bad one never meets the good ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError, WireError
from schemas.membership import vector_size
from schemas.row_values import row_from_mapping
from schemas.spaces import Box, Dict, MultiBinary, MultiDiscrete, Space, Tuple
from schemas.step import WIRE_COLUMNS

_SHOWN = 80  # characters of a value; a longer one is cut


def ready_row(record: Mapping[str, Any], spec: ArchiveSpec) -> dict[str, Any]:
    """Return the row as Arrow takes it, copied out of the caller's arrays.

    Raise StepsError naming the row, the column and the value for what `Steps` would refuse.
    """
    try:
        row = row_from_mapping(record, spec)
    except WireError as exc:
        column = exc.reason.partition("(")[2].rstrip(")")
        raise StepsError(f"{_named(record)}: {exc.message}", column=column, hint=exc.hint) from exc
    for wanted in WIRE_COLUMNS:
        if wanted.required and row[wanted.name] is None:
            raise _refused(record, f"it has no {wanted.name}", wanted.name, "Every step needs one.")
    if row["event_id"] is None and (row["episode_id"] is None or row["step"] is None):
        said = "it has neither an event_id nor an episode_id and a step"
        raise _refused(
            record, said, "step", "A step is known by its place in an episode, or by an id of its own."
        )
    for name, space in spec.spaces.items():
        if row[name] is not None and not _has_shape(space, row[name]):
            said = f"{name} {_cut(row[name])} has not the shape of {_cut(space)}"
            raise _refused(record, said, name, "See the archive's spec for its shape.")
    return row


def _has_shape(space: Space, value: Any) -> bool:
    if isinstance(space, Dict | Tuple):
        return all(
            value[name] is not None and _has_shape(inner, value[name]) for name, inner in space.fields.items()
        )
    if isinstance(space, Box | MultiDiscrete | MultiBinary):
        return len(value) == vector_size(space) and (isinstance(value, bytes) or None not in value)
    return True


def _named(record: Mapping[str, Any]) -> str:
    if record.get("event_id") is not None:
        return f"The event {record['event_id']!r}"
    return f"Step {record.get('step')!r} of episode {record.get('episode_id')!r}"


def _refused(record: Mapping[str, Any], said: str, column: str, hint: str) -> StepsError:
    return StepsError(f"{_named(record)}: {said}.", column=column, hint=hint)


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
