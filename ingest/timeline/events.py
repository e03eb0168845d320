"""Events: what a mapping made, read as the timeline sees it. Nothing here depends on other rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.records import Mapped
from ingest.timeline.durations import micros
from ingest.timeline.payload import fit_payload, row_sizes
from ingest.timeline.spec import TimelineSpec
from schemas.archive_spec import ArchiveSpec
from schemas.errors import SpecError
from schemas.shown import shown
from schemas.step import PROPENSITY_ALIAS, TIMESTAMP, wire_schema
from schemas.times import TimeError, event_time, event_times

STEP: Final = 0
END: Final = 1
REWARD: Final = 2
IGNORED: Final = 3
FAULTY: Final = 4  # refused by itself; its time moves the watermark all the same
UNTIMED: Final = 5  # refused by itself, and without a time to go by

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Hold N events in the order of their arrival."""

    time: NDArray[np.int64]  # (N,) microseconds
    role: NDArray[np.int8]  # (N,)
    which: NDArray[np.int16]  # (N,) the entry of `ends` or `rewards` that names the event
    source: pa.StringArray  # (N,)
    agent: pa.StringArray  # (N,)
    session: pa.StringArray  # (N,) null where the event has no session
    event_id: pa.StringArray  # (N,) null where it has none
    keys: tuple[pa.StringArray, ...]  # (N,) for each entry of `rewards`
    value: NDArray[np.float64]  # (N,) of rewards
    payload: pa.Table  # the archive's wire columns of the steps
    payload_row: NDArray[np.int64]  # (N,) -1 where the event is no step
    payload_size: NDArray[np.int64]  # (rows of the payload,)
    faults: Mapping[int, tuple[str, str]]  # reason and detail of what is faulty or untimed
    raw: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.time)


def read_events(mapped: Mapped, spec: TimelineSpec, archive: ArchiveSpec) -> Events:
    """Read mapped rows as events.

    A row with a value that cannot be is a fault of its own; raise SpecError for a column that the timeline
    names and the mapping does not make, StepsError for one that the archive does not have.
    """
    table = mapped.table
    rows = table.num_rows
    if rows and (missing := sorted(spec.columns - set(table.column_names))):
        raise SpecError(
            f"The timeline names the column {missing[0]!r}, which the mapping does not make.",
            hint=f"It makes: {', '.join(table.column_names)}.",
        )
    faults = _Faults(rows)
    time = _times(table, mapped, spec, archive, faults)
    role, which = _roles(table, spec, faults)
    session = _sessions(table, spec)
    faults.add(
        np.isin(role, (STEP, END)) & np.asarray(session.is_null()),
        "no_session",
        lambda _: f"the event has no {' and no '.join(spec.session)}",
    )
    keys = tuple(_text(table, reward.key) for reward in spec.rewards)
    value = _values(table, spec, role, which, keys, faults)
    payload, payload_row = _payload(table, spec, archive, time, role, faults)
    role[faults.found] = FAULTY
    role[faults.untimed] = UNTIMED
    return Events(
        time=time,
        role=role,
        which=which,
        source=_text(table, "source", "default"),
        agent=_text(table, "agent_id", "default"),
        session=session,
        event_id=_text(table, "event_id"),
        keys=keys,
        value=value,
        payload=payload,
        payload_row=payload_row,
        payload_size=row_sizes(payload),
        faults=faults.reasons,
        raw=lambda row: _raw(mapped, row),
    )


class _Faults:
    """Gather what is wrong with rows; the first thing found is the one told."""

    def __init__(self, rows: int) -> None:
        self.found = np.zeros(rows, dtype=bool)
        self.untimed = np.zeros(rows, dtype=bool)
        self.reasons: dict[int, tuple[str, str]] = {}

    def add(self, mask: Mask, reason: str, say: Callable[[int], str], *, untimed: bool = False) -> None:
        new = mask & ~self.found
        for row in np.flatnonzero(new).tolist():
            self.reasons[row] = (reason, say(row))
        self.found |= new
        if untimed:
            self.untimed |= new


def _times(
    table: pa.Table, mapped: Mapped, spec: TimelineSpec, archive: ArchiveSpec, faults: _Faults
) -> NDArray[np.int64]:
    column = _column(table, spec.time)
    try:
        read = event_times(column)
    except (TimeError, pa.ArrowException):
        read = pa.array([_time(value) for value in column.to_pylist()], TIMESTAMP)
    faults.add(
        np.asarray(read.is_null()),
        "no_time",
        lambda row: f"{spec.time} {shown(column[row].as_py())} is not a time",
        untimed=True,
    )
    time: NDArray[np.int64] = read.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    wrong = time < pa.scalar(archive.earliest_event_time, TIMESTAMP).value
    if mapped.sent is not None:
        wrong |= time > mapped.sent + micros(archive.allowed_clock_skew)
    faults.add(
        wrong,
        "clock_skew",
        lambda row: f"{spec.time} is {read[row].as_py().isoformat()}, outside the allowed clock skew",
        untimed=True,
    )
    return time


def _time(value: object) -> object:
    try:
        return None if value is None else event_time(value)
    except TimeError:
        return None


def _roles(
    table: pa.Table, spec: TimelineSpec, faults: _Faults
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    rows = table.num_rows
    if spec.kind is None:
        return np.full(rows, STEP, np.int8), np.zeros(rows, np.int16)
    known = dict.fromkeys(spec.steps, (STEP, 0)) | dict.fromkeys(spec.ignores, (IGNORED, 0))
    for place, end in enumerate(spec.ends):
        known |= dict.fromkeys(end.values, (END, place))
    for place, reward in enumerate(spec.rewards):
        known |= dict.fromkeys(reward.values, (REWARD, place))
    kinds = _text(table, spec.kind)
    encoded = kinds.dictionary_encode()
    meanings = np.array(
        [known.get(kind, (FAULTY, 0)) for kind in encoded.dictionary.to_pylist()] + [(FAULTY, 0)], np.int16
    )
    chosen = meanings[encoded.indices.fill_null(len(meanings) - 1).to_numpy(zero_copy_only=False)]
    role = chosen[:, 0].astype(np.int8)
    faults.add(
        role == FAULTY,
        "unknown_kind",
        lambda row: f"{spec.kind} is {shown(kinds[row].as_py())}, which the timeline does not name",
    )
    return role, chosen[:, 1]


def _sessions(table: pa.Table, spec: TimelineSpec) -> pa.StringArray:
    """Return the text that sessions are told apart by: their values, joined so that no two mix."""
    columns = [_text(table, name) for name in spec.session]
    if len(columns) == 1:
        return columns[0]
    escaped = [
        pc.replace_substring(pc.replace_substring(column, "%", "%25"), "/", "%2F") for column in columns
    ]
    return pc.binary_join_element_wise(*escaped, "/")


def _values(
    table: pa.Table,
    spec: TimelineSpec,
    role: NDArray[np.int8],
    which: NDArray[np.int16],
    keys: tuple[pa.StringArray, ...],
    faults: _Faults,
) -> NDArray[np.float64]:
    value = np.zeros(table.num_rows)
    for place, reward in enumerate(spec.rewards):
        these = (role == REWARD) & (which == place)
        faults.add(
            these & np.asarray(keys[place].is_null()),
            "no_reward_key",
            lambda _, name=reward.key: f"the event has no {name}",  # type: ignore[misc]
        )
        if isinstance(reward.value, float):
            value[these] = reward.value
            continue
        column = _column(table, reward.value)
        numbers = _numbers(column)
        faults.add(
            these & ~np.isfinite(numbers),
            "no_reward",
            lambda row, name=reward.value, column=column: (  # type: ignore[misc]
                f"{name} {shown(column[row].as_py())} is not a finite number"
            ),
        )
        value[these] = numbers[these]
    return value


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Read numbers as floats; what is none is NaN."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return np.full(len(column), np.nan)
    numbers: NDArray[np.float64] = (
        column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    )
    return numbers


def _payload(
    table: pa.Table,
    spec: TimelineSpec,
    archive: ArchiveSpec,
    time: NDArray[np.int64],
    role: NDArray[np.int8],
    faults: _Faults,
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows of the steps, with the event's time, and where each event's row is."""
    own = {*wire_schema(archive).names, PROPENSITY_ALIAS}
    steps = np.flatnonzero((role == STEP) & ~faults.found)
    chosen = table.select([name for name in table.column_names if name in own or name not in spec.columns])
    chosen = chosen.drop_columns([name for name in ("event_time",) if name in chosen.column_names])
    chosen = chosen.append_column("event_time", pa.array(time).cast(TIMESTAMP))
    fitted = fit_payload(chosen if len(steps) == table.num_rows else chosen.take(steps), archive)
    for place, problem in fitted.problems.items():
        mask = np.zeros(table.num_rows, dtype=bool)
        mask[steps[place]] = True
        faults.add(mask, problem.reason, lambda _, problem=problem: problem.message)  # type: ignore[misc]
    payload_row = np.full(table.num_rows, -1, np.int64)
    payload_row[steps[fitted.kept]] = np.arange(len(fitted.kept))
    return fitted.table, payload_row


def _column(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:  # no rows, or one that a step may go without
        return pa.nulls(table.num_rows)
    column = table[name].combine_chunks()
    return column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)


def _text(table: pa.Table, name: str, default: str | None = None) -> pa.StringArray:
    """Return a column as text, a whole number the same whatever type it came in."""
    column = _column(table, name)
    if pa.types.is_nested(column.type):
        raise SpecError(
            f"The column {name!r} is {column.type}, by which the timeline cannot tell events apart.",
            hint="Make it text or a number in the mapping.",
        )
    texts = column.cast(pa.string())
    return texts if default is None or not texts.null_count else texts.fill_null(default)


def _raw(mapped: Mapped, row: int) -> bytes:
    if mapped.raw is not None:
        return mapped.raw(int(mapped.record[row]))
    values = mapped.table.slice(row, 1).to_pylist()[0]
    return json.dumps(values, default=str, separators=(",", ":")).encode()
