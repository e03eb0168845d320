"""Read a snapshot as arrays: the one door by which learners meet the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from lake.reading.arrays import StepArrays
from lake.reading.cache import Entry, Making, find, keep, make_folder
from lake.reading.fill import fill, layout, threads
from lake.reading.order import RowOrder
from lake.reading.projection import TRANSITION, Projection, project
from lake.reading.sinks import MemorySink, Sink
from lake.reading.source import open_units
from lake.reading.units import TIES
from lake.snapshots import Snapshot
from schemas.errors import DataError
from schemas.step import ROW_ORDER
from schemas.transitions import Transitions


def read_transitions(snapshot: Snapshot) -> Transitions:
    """Return the snapshot's transitions, ordered by their full key: the same bytes each time.

    A step becomes a transition where its reward came and its end is known: it terminated, or it has a
    next observation of its own, or the next turn of its agent is there.
    """
    return read_arrays(snapshot).transitions()


def read_arrays(
    snapshot: Snapshot, columns: Sequence[str] = TRANSITION, *, cache: Path | None = None
) -> StepArrays:
    """Return columns of the snapshot's steps, ordered by their full key, and say which are transitions.

    With a cache the arrays are files there, made at the first reading and mapped into memory at each.
    Raise DataError where no step is a transition.
    """
    projection = project(snapshot.spec, columns)
    if cache is not None:
        return _mapped(snapshot, cached(snapshot, projection, cache))
    with ExitStack() as stack:
        order, filled = _ready(snapshot, projection, stack, keep_order=True)
        sink = MemorySink(layout(projection, order.rows, order.own.count))
        _check_some(snapshot, order.rows, filled(sink))
        episodes = order.episodes if projection.keys else None
        return StepArrays(snapshot.id, projection, sink.arrays, order.rows, episodes)


def cached(snapshot: Snapshot, projection: Projection, cache: Path) -> Entry:
    """Return the cache's entry of the snapshot, made where it is not there."""
    entry = find(cache, snapshot.id, projection)
    if entry is None:
        with ExitStack() as stack:
            make_folder(cache)
            order, filled = _ready(snapshot, projection, stack, keep_order=False, scratch=cache)
            making = Making(order.rows, order.own.count, order.episodes, filled)
            entry = keep(cache, snapshot.id, projection, making)
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
    read = dict.fromkeys([*ROW_ORDER, *TIES, *projection.columns, "next_observation"])
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
