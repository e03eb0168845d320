"""Read a snapshot as arrays: the one door by which learners meet the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from lake.reading.arrays import StepArrays
from lake.reading.cache import Entry, Making, find, keep, make_folder
from lake.reading.fill import fill, layout, threads
from lake.reading.order import RowOrder
from lake.reading.projection import ALWAYS, EXTRAS, NEXT_OBSERVATION, TRANSITION, Projection, project
from lake.reading.sinks import MemorySink, Sink
from lake.reading.source import open_units
from lake.reading.units import TIES
from lake.snapshots import Snapshot
from schemas.errors import DataError, UsageError
from schemas.step import ROW_ORDER
from schemas.transitions import Transitions


def read_transitions(snapshot: Snapshot) -> Transitions:
    """Return the snapshot's transitions, ordered by their full key: the same bytes each time.

    A step becomes a transition where its reward came and its end is known: it terminated, or it has a
    next observation of its own, or the next turn of its agent is there.
    """
    return read_arrays(snapshot).transitions()


def read_arrays(
    snapshot: Snapshot,
    columns: Sequence[str] = TRANSITION,
    *,
    cache: Path | None = None,
    cache_bytes: int | None = None,
) -> StepArrays:
    """Return columns of the snapshot's steps, ordered by their full key, and say which are transitions.

    With a cache the arrays are files there, made at the first reading and mapped into memory at each. Where
    they are made, what was used longest ago is removed until all fits into `cache_bytes`, or without it into
    half of what the disk would have free without the cache. Raise DataError where no step is a transition.
    """
    projection = projection_of(snapshot, columns)
    if cache is not None:
        return _mapped(snapshot, cached(snapshot, projection, cache, cache_bytes))
    with ExitStack() as stack:
        order, filled = _ready(snapshot, projection, stack, keep_order=True)
        sink = MemorySink(layout(projection, order.rows, order.own.count))
        _check_some(snapshot, order.rows, filled(sink))
        episodes = order.episodes if projection.keys else None
        return StepArrays(snapshot.id, projection, sink.arrays, order.rows, episodes)


def projection_of(snapshot: Snapshot, columns: Sequence[str]) -> Projection:
    """Choose columns of a snapshot; raise UsageError for one that it does not hold."""
    held = snapshot.choice.columns
    if held is None:
        return project(snapshot.spec, columns)
    if EXTRAS in columns:
        columns = [name for name in columns if name != EXTRAS]
        columns += [name for name in snapshot.spec.extras if name in held]
    projection = project(snapshot.spec, columns)
    needed = projection.columns + [NEXT_OBSERVATION] * projection.next_observation
    missing = [name for name in needed if name not in held]
    if missing:
        raise UsageError(
            f"The snapshot {snapshot.id} does not hold {', '.join(missing)}: it holds {', '.join(held)}.",
            hint=f"Read what it holds, or make one that holds more; {', '.join(ALWAYS)} are always read.",
        )
    return projection


def cached(snapshot: Snapshot, projection: Projection, cache: Path, most_bytes: int | None = None) -> Entry:
    """Return the cache's entry of the snapshot, made where it is not there."""
    entry = find(cache, snapshot, projection)
    if entry is None:
        with ExitStack() as stack:
            make_folder(cache)
            order, filled = _ready(snapshot, projection, stack, keep_order=False, scratch=cache)
            making = Making(order.rows, order.own.count, order.episodes, filled)
            entry = keep(cache, snapshot, projection, making, most_bytes)
    _check_some(snapshot, entry.steps, entry.transitions)
    return entry


def _mapped(snapshot: Snapshot, entry: Entry) -> StepArrays:
    return StepArrays(snapshot.id, entry.projection, entry.arrays(), entry.steps, entry.episodes())


def _ready(
    snapshot: Snapshot,
    projection: Projection,
    stack: ExitStack,
    *,
    keep_order: bool,
    scratch: Path | None = None,
) -> tuple[RowOrder, Callable[[Sink], int]]:
    """Put the snapshot's rows in order, and return what fills a sink with them."""
    read = dict.fromkeys([*ROW_ORDER, *TIES, *projection.columns, NEXT_OBSERVATION])
    units = stack.enter_context(open_units(snapshot, list(read), 2 * projection.width, scratch))
    parallel = stack.enter_context(threads())
    order = RowOrder(units, parallel, keep=keep_order)
    return order, lambda sink: fill(order, projection, sink, parallel)


def _check_some(snapshot: Snapshot, steps: int, transitions: int) -> None:
    if not transitions:
        raise DataError(
            f"The snapshot {snapshot.id} has {steps} steps and no transition among them.",
            hint="A transition needs a reward, and a next observation or an end.",
        )
