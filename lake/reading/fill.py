"""Put the rows of a snapshot into arrays, in the order of their key, and derive transitions from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.reading.order import RowOrder
from lake.reading.pages import NotPlainError
from lake.reading.projection import Leaf, Projection
from lake.reading.sinks import Column, Sink
from lake.reading.source import Unit
from lake.reading.values import leaf_array

COMPLETE, FOLLOWS, NEXT, EPISODE = "complete", "follows", "next_row", "episode"
_BATCH_BYTES = 8 << 20
_LEAST_ROWS, _MOST_ROWS = 64, 1 << 16
_CHUNK = 1 << 20
_THREADS = 8


@contextmanager
def threads() -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]]:
    """Give a map that runs in as many threads as there are processors to use."""
    with ThreadPoolExecutor(min(_THREADS, pa.cpu_count())) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def layout(projection: Projection, rows: int, own: int) -> dict[str, Column]:
    """Return the arrays to be filled.

    The observation has `own` rows more than the others: what followed a step and is no step itself.
    """
    frames = rows + (own if projection.next_observation else 0)
    columns = {
        leaf.name: Column(leaf.dtype, leaf.shape, frames if leaf.column == "observation" else rows)
        for leaf in projection.leaves
    }
    columns |= {name: Column(np.dtype(bool), (), rows) for name in (COMPLETE, FOLLOWS)}
    if projection.next_observation:
        columns[NEXT] = Column(np.dtype(np.int64), (), rows)
    if projection.keys:
        columns[EPISODE] = Column(np.dtype(np.int64), (), rows)
    return columns


def fill(
    order: RowOrder,
    projection: Projection,
    sink: Sink,
    parallel: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]],
) -> int:
    """Read all rows into the sink; return how many transitions there are."""
    for _ in parallel(lambda number: _fill_unit(order, number, projection, sink), range(len(order.units))):
        pass
    return _finish(order.rows, sink)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Hold what is known of rows before their values are read, as they lie in the file."""

    target: NDArray[np.int64]
    linked: NDArray[np.bool_]
    own: NDArray[np.bool_]
    episode: NDArray[np.int64] | None
    in_line: bool  # they go one behind the other

    def __getitem__(self, span: slice) -> _Rows:
        target = self.target[span]
        episode = None if self.episode is None else self.episode[span]
        return _Rows(target, self.linked[span], self.own[span], episode, self.in_line or _are_in_line(target))

    def put(self, sink: Sink, name: str, values: NDArray[Any]) -> None:
        """Put a value for each row."""
        if self.in_line:
            sink.put(name, int(self.target[0]), values)
        else:
            sink.scatter(name, self.target, values)


def _rows(order: RowOrder, number: int, projection: Projection) -> _Rows:
    runs, places = order.runs(number), order.order(number)
    target = np.repeat(runs.target - runs.offset, runs.length)
    target += np.arange(order.units[number].rows)
    episode = np.repeat(runs.episode, runs.length) if projection.keys else None
    linked, own = order.linked(number), order.own_next(number)
    if places is not None:
        target, linked, own = (_back(places, values) for values in (target, linked, own))
        episode = None if episode is None else _back(places, episode)
    return _Rows(target, linked, own, episode, _are_in_line(target))


def _are_in_line(target: NDArray[np.int64]) -> bool:
    return bool((target[1:] == target[:-1] + 1).all())


def _back(places: NDArray[np.uint32], values: NDArray[Any]) -> NDArray[Any]:
    """Bring what is in the order of the key into that of the file."""
    result = np.empty_like(values)
    result[places] = values
    return result


def _fill_unit(order: RowOrder, number: int, projection: Projection, sink: Sink) -> None:
    unit, rows = order.units[number], _rows(order, number, projection)
    plain = _put_plain(unit, rows, projection, sink)
    left = [leaf for leaf in projection.leaves if leaf.column not in plain]
    with_next = projection.next_observation and bool(rows.own.any())
    columns = list(dict.fromkeys(leaf.column for leaf in left)) + ["next_observation"] * with_next
    width = sum(leaf.width for leaf in left) + with_next * sum(leaf.width for leaf in projection.observation)
    start = 0
    for batch in unit.batches(columns, _rows_at_once(width)):
        part = rows[start : start + batch.num_rows]
        start += batch.num_rows
        _put_batch(batch, left, part, order, projection, sink)
        if with_next and part.own.any():
            _put_own(batch, part, order, projection, sink)


def _rows_at_once(width: int) -> int:
    return max(_LEAST_ROWS, min(_MOST_ROWS, _BATCH_BYTES // max(width, 1)))


def _put_plain(unit: Unit, rows: _Rows, projection: Projection, sink: Sink) -> set[str]:
    """Put the columns whose values lie plain in the file; return which."""
    put = set()
    for column in projection.columns:
        leaves = [leaf for leaf in projection.leaves if leaf.column == column]
        if all(leaf.shape for leaf in leaves):  # what is one number a row comes as quickly by Arrow
            try:
                for leaf in leaves:
                    _put_values(unit.plain(leaf), leaf, rows, sink)
            except NotPlainError:  # what was put is put again
                continue
            put.add(column)
    return put


def _put_values(pages: Iterator[NDArray[Any]], leaf: Leaf, rows: _Rows, sink: Sink) -> None:
    start = 0
    for values in pages:
        stop = start + len(values) // leaf.size
        rows[start:stop].put(sink, leaf.name, values.reshape(-1, *leaf.shape))
        start = stop


def _put_batch(
    batch: pa.RecordBatch,
    leaves: Sequence[Leaf],
    rows: _Rows,
    order: RowOrder,
    projection: Projection,
    sink: Sink,
) -> None:
    values = {leaf.name: leaf_array(batch.column(leaf.column), leaf) for leaf in leaves}
    for name, held in values.items():
        rows.put(sink, name, held)
    terminated, truncated = values["terminated"], values["truncated"]
    rewarded = np.asarray(batch.column("reward").is_valid())
    rows.put(sink, COMPLETE, rewarded & (terminated | rows.own | (rows.linked & ~truncated)))
    rows.put(sink, FOLLOWS, rows.linked & ~(terminated | truncated))
    if projection.next_observation:
        following = np.where(rows.linked, rows.target + 1, -1)
        following[rows.own] = order.rows + order.own.rank(rows.target[rows.own])
        rows.put(sink, NEXT, following)
    if rows.episode is not None:
        rows.put(sink, EPISODE, rows.episode)


def _put_own(batch: pa.RecordBatch, rows: _Rows, order: RowOrder, projection: Projection, sink: Sink) -> None:
    given = batch.column("next_observation").filter(pa.array(rows.own))
    places = order.rows + order.own.rank(rows.target[rows.own])
    for leaf in projection.observation:
        sink.scatter(leaf.name, places, leaf_array(given, leaf))


def _finish(rows: int, sink: Sink) -> int:
    """Let no row be followed by one that is no transition; return how many are."""
    found = 0
    for start in range(0, rows, _CHUNK):
        stop = min(rows, start + _CHUNK)
        complete = sink.get(COMPLETE, start, min(rows, stop + 1))
        follows = sink.get(FOLLOWS, start, stop).copy()
        following = complete[1:] if stop < rows else np.append(complete[1:], False)
        sink.put(FOLLOWS, start, follows & following)
        found += int(complete[: stop - start].sum())
    return found
