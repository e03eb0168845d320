"""Transitions of archives larger than memory, as blocks of one random permutation of all of them.

Two passes. The first gives each transition a random number and writes it into one of many parts of a
scratch file, by that number; the second reads part by part and sorts each. So the order is that of the
numbers, over all transitions, however large the parts are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lake.reading.arrays import nested
from lake.reading.projection import TRANSITION
from lake.reading.reader import cached, projection_of
from lake.reading.records import Field, Horizon, Records, fields_of, record_of
from lake.reading.shuffle import buckets_of, shuffle_keys
from lake.reading.sinks import Sink, read_at, write_at
from lake.snapshots import Snapshot
from schemas.errors import StorageError, UsageError

MEMORY_BYTES = 384 << 20
_SHARES = 6  # how many times as much as one part is held at the most
_MOST_ROWS = 1 << 16

Block = dict[str, Any]  # by column: an array, or for a Dict or a Tuple a mapping by field


@dataclass(frozen=True, slots=True)
class _Plan:
    source: Sink  # the arrays, which stay open: whoever removes them from the cache takes them from nobody
    steps: int
    transitions: int
    fields: tuple[Field, ...]
    horizon: Horizon | None
    part_bytes: int
    block_rows: int

    @property
    def rows_at_once(self) -> int:
        """How many steps are read at once."""
        return max(1, self.part_bytes // record_of(self.fields).itemsize)

    @property
    def parts(self) -> int:
        """How many parts the scratch file has."""
        size = self.transitions * record_of(self.fields).itemsize
        return max(1, -(-size // self.part_bytes))


class Blocks:
    """Iterate over the transitions of a snapshot in a random order, each once, in blocks of equal length.

    Each iteration is a pass of its own over the archive's arrays, which are open as long as
    `open_blocks` is; the last block may be shorter.
    """

    def __init__(self, plan: _Plan, seed: int, epoch: int, first_block: int, scratch: Path | None) -> None:
        self._plan = plan
        self._seed = seed
        self._epoch = epoch
        self._first = first_block
        self._scratch = scratch

    @property
    def transitions(self) -> int:
        """How many transitions an epoch has."""
        return self._plan.transitions

    @property
    def block_rows(self) -> int:
        """How many transitions a block has."""
        return self._plan.block_rows

    def __len__(self) -> int:
        whole = -(-self.transitions // self.block_rows)
        return max(0, whole - self._first)

    def __iter__(self) -> Iterator[Block]:
        if not len(self):
            return
        with ExitStack() as stack:
            plan = self._plan
            records = Records(plan.source, plan.steps, plan.fields, plan.horizon)
            try:
                file = stack.enter_context(tempfile.TemporaryFile(dir=self._scratch))  # gone with its process
                counts = self._scatter(records, file)
            except OSError as exc:
                raise StorageError(
                    f"The scratch file of a shuffle cannot be written: {exc.strerror or exc}.",
                    hint="Give a cache folder with room for all transitions.",
                ) from exc
            yield from self._cut(_parts(file, counts, records.dtype, self._first * self.block_rows))

    def _scatter(self, records: Records, file: BinaryIO) -> NDArray[np.int64]:
        """Write all records into their parts; return how many each part has."""
        rows, parts = self._plan.rows_at_once, self._plan.parts
        counts = np.zeros(parts, dtype=np.int64)
        for _, chosen in records.places(rows):
            counts += np.bincount(buckets_of(self._keys(chosen), parts), minlength=parts)
        width = records.dtype.itemsize
        at = (np.cumsum(counts) - counts) * width
        for start, chosen in records.places(rows):
            keys = self._keys(chosen)
            bucket = buckets_of(keys, parts)
            order = np.argsort(bucket, kind="stable")
            made = records.make(start, rows, chosen[order])
            made["#key"] = keys[order]
            data = made.view(np.uint8).data
            found, begins = np.unique(bucket[order], return_index=True)
            for part, begin, end in zip(found, begins, [*begins[1:], len(order)], strict=True):
                write_at(file.fileno(), data[begin * width : end * width], int(at[part]))
                at[part] += (end - begin) * width
        return counts

    def _keys(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        return shuffle_keys(self._seed, self._epoch, rows)

    def _cut(self, pieces: Iterator[NDArray[Any]]) -> Iterator[Block]:
        """Cut parts of any length into blocks of equal length."""
        left = self.transitions - self._first * self.block_rows
        block, filled = self._empty(min(left, self.block_rows)), 0
        for piece in pieces:
            taken = 0
            while taken < len(piece):
                rows = min(len(piece) - taken, min(left, self.block_rows) - filled)
                for field in self._plan.fields:
                    block[field.name][filled : filled + rows] = piece[field.name][taken : taken + rows]
                taken, filled = taken + rows, filled + rows
                if filled == min(left, self.block_rows):
                    left -= filled
                    yield self._nested(block)
                    block, filled = self._empty(min(left, self.block_rows)), 0

    def _empty(self, rows: int) -> dict[str, NDArray[Any]]:
        return {field.name: np.empty((rows, *field.shape), field.dtype) for field in self._plan.fields}

    def _nested(self, arrays: dict[str, NDArray[Any]]) -> Block:
        columns: dict[str, dict[tuple[str, ...], NDArray[Any]]] = {}
        for field in self._plan.fields:
            columns.setdefault(field.column, {})[field.path] = arrays[field.name]
        return {name: nested(below) for name, below in columns.items()}


@contextmanager
def open_blocks(
    snapshot: Snapshot,
    *,
    seed: int,
    epoch: int = 0,
    columns: Sequence[str] = TRANSITION,
    block_rows: int | None = None,
    first_block: int = 0,
    n: int | None = None,
    gamma: float = 1.0,
    memory_bytes: int = MEMORY_BYTES,
    cache: Path | None = None,
    cache_bytes: int | None = None,
) -> Iterator[Blocks]:
    """Give the snapshot's transitions in blocks, in a random order that the seed and the epoch decide.

    The order depends on neither files, memory nor the length of blocks. `first_block` goes on in the
    middle of an epoch. With `n`, reward, discount and what follows are those of n-step returns, `discount`
    being what the bootstrapped value counts. The arrays are kept in the cache, or for this time in a
    temporary folder; beside them a scratch file is written, as large as all transitions.
    """
    projection = projection_of(snapshot, columns)
    horizon = None if n is None else Horizon(n, gamma)
    fields = fields_of(projection, horizon)
    width = record_of(fields).itemsize
    part_bytes = memory_bytes // _SHARES
    possible = part_bytes // width
    rows = min(_MOST_ROWS, possible) if block_rows is None else block_rows
    if not possible:
        raise UsageError(
            f"{memory_bytes} bytes of memory are too few: a transition has {width}.",
            hint=f"Give {_SHARES} times as much at least, better a hundred MB.",
        )
    _check(rows, possible, first_block, n)
    with ExitStack() as stack:
        if cache is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replaylake-arrays-")))
        else:
            folder = cache
        entry = cached(snapshot, projection, folder, cache_bytes)
        source = stack.enter_context(entry.opened())
        plan = _Plan(source, entry.steps, entry.transitions, fields, horizon, part_bytes, rows)
        yield Blocks(plan, seed, epoch, first_block, folder)


def _check(rows: int, possible: int, first_block: int, n: int | None) -> None:
    if not 1 <= rows <= possible:
        raise UsageError(
            f"Blocks of {rows} transitions are not possible.",
            hint=f"With this memory_bytes a block has 1 to {possible}.",
        )
    if first_block < 0:
        raise UsageError(f"There is no block {first_block}.", hint="The first is 0.")
    if n is not None and not 1 <= n <= possible:
        raise UsageError(f"Returns of {n} steps are not possible.", hint=f"Give an n from 1 to {possible}.")


def _parts(
    file: BinaryIO, counts: NDArray[np.int64], dtype: np.dtype[Any], skipped: int
) -> Iterator[NDArray[Any]]:
    """Iterate over the parts, each sorted, without the first records."""
    begin = 0
    for count in counts.tolist():
        if skipped < count:
            held = np.empty(count, dtype)
            read_at(file.fileno(), held.view(np.uint8).data, begin * dtype.itemsize)
            yield held[np.argsort(held["#key"])[skipped:]]
        skipped = max(0, skipped - count)
        begin += count
