"""Duplicates: tell a row that has landed before from one that is new, within its event date.

A window per event date holds a hash of each key. A hash that is met again is only a hint: the real key
and the content are then compared with the row that came first, so a collision never costs a row.
"""

from __future__ import annotations

import mmap
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.keys import KEY_NAMES, hash_halves, key_expressions, said_columns
from schemas.protocols import Committed
from schemas.step import KEY_COLUMNS

Hashes = NDArray[np.uint64]
_SPILL_FROM = 1 << 21  # hashes in one sorted run: 16 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Say of each row whether it is new, was there before, or contradicts what was there before."""

    fresh: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]
    conflict: NDArray[np.bool_]


class _Run:
    """Hold sorted hashes, in memory or, where there are many, in a file without a name."""

    def __init__(self, hashes: Hashes) -> None:
        self._mapped: mmap.mmap | None = None
        self.hashes = hashes
        if len(hashes) >= _SPILL_FROM:
            with tempfile.TemporaryFile(prefix="replaylake-keys-") as file:  # it lives while it is mapped
                hashes.tofile(file)
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self.hashes = np.frombuffer(self._mapped, dtype=np.uint64)

    @property
    def is_spilled(self) -> bool:
        return self._mapped is not None

    def contains(self, hashes: Hashes) -> NDArray[np.bool_]:
        places = np.searchsorted(self.hashes, hashes)
        places[places == len(self.hashes)] = 0
        found: NDArray[np.bool_] = self.hashes[places] == hashes
        if self._mapped is not None:  # the pages stay in the system's cache, and leave this process
            self._mapped.madvise(mmap.MADV_DONTNEED)
        return found


class HashRuns:
    """Hold a set of 64-bit hashes as sorted runs; memory is bounded, for the large ones lie on disk."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return sum(len(run.hashes) for run in self._runs)

    def add(self, hashes: Hashes) -> None:
        """Add hashes that are sorted; they may repeat."""
        if not len(hashes):
            return
        while self._runs and not self._runs[-1].is_spilled and len(self._runs[-1].hashes) < 2 * len(hashes):
            joined = np.concatenate([self._runs.pop().hashes, hashes])
            hashes = np.sort(joined, kind="stable")  # merges what is sorted already
        self._runs.append(_Run(hashes))

    def contains(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Say of each hash whether it was added; sorted ones are found several times faster."""
        found = np.zeros(len(hashes), dtype=bool)
        for run in self._runs:
            found |= run.contains(hashes)
        return found


class KeyWindow:
    """Find duplicates among the rows of one archive that this worker consumes."""

    def __init__(self, landing: Committed, *, max_keys: int = 50_000_000) -> None:
        self._landing = landing
        self._max_keys = max_keys
        self._dates: OrderedDict[str, HashRuns] = OrderedDict()

    def split(self, rows: pa.Table, pending: Sequence[pa.Table]) -> Split:
        """Sort out the rows of a batch, and remember the fresh ones.

        `pending` are the tables of fresh rows that are not committed yet. Of equal keys within the
        batch the first is fresh.
        """
        hashes = key_hashes(rows)
        dates = [(self._runs(date, pending), places) for date, places in _by_date(rows["date"])]
        ordered = [np.sort(hashes[places]) for _, places in dates]
        if not any(_met(runs, run) for (runs, _), run in zip(dates, ordered, strict=True)):
            split = _all_fresh(len(hashes))
        else:
            split = self._resolve(rows, hashes, _suspects(hashes, dates), pending)
            ordered = [np.sort(hashes[places[split.fresh[places]]]) for _, places in dates]
        for (runs, _), run in zip(dates, ordered, strict=True):
            runs.add(run)
        self._evict()
        return split

    def forget(self) -> None:
        """Rebuild from the committed rows when next needed: after a lost commit or a new assignment."""
        self._dates.clear()

    def _runs(self, date: str, pending: Sequence[pa.Table]) -> HashRuns:
        if date not in self._dates:
            runs = HashRuns()
            for keys in self._landing.committed_keys(date):
                runs.add(np.sort(key_hashes(keys)))
            for rows in pending:  # of a date that was put out of memory before its rows were committed
                runs.add(np.sort(key_hashes(rows.filter(pc.equal(rows["date"], date)))))
            self._dates[date] = runs
        self._dates.move_to_end(date)
        return self._dates[date]

    def _evict(self) -> None:
        while len(self._dates) > 1 and sum(map(len, self._dates.values())) > self._max_keys:
            self._dates.popitem(last=False)

    def _resolve(
        self, rows: pa.Table, hashes: Hashes, suspect: NDArray[np.bool_], pending: Sequence[pa.Table]
    ) -> Split:
        """Compare the rows of suspected keys with the row that first had their key."""
        met = np.unique(hashes[suspect])
        concerned = np.isin(hashes, met)
        batch = _fingerprints(rows.filter(pa.array(concerned)))
        before = pl.concat(
            [batch.clear(), *(_fingerprints(_having(met, table)) for table in self._landed(rows, suspect))]
            + [_fingerprints(_having(met, table)) for table in pending]
        ).unique(KEY_NAMES, keep="first", maintain_order=True)
        judged = batch.join(
            before.rename({"content": "landed"}),
            on=KEY_NAMES,
            how="left",
            nulls_equal=True,
            maintain_order="left",
        ).select(
            fresh=pl.col("landed").is_null() & (pl.int_range(pl.len()).over(KEY_NAMES) == 0),
            same=pl.col("content") == pl.coalesce("landed", pl.col("content").first().over(KEY_NAMES)),
        )
        split = _all_fresh(len(hashes))
        split.fresh[concerned] = judged["fresh"].to_numpy()
        split.duplicate[concerned] = (judged["same"] & ~judged["fresh"]).to_numpy()
        split.conflict[concerned] = (~judged["same"] & ~judged["fresh"]).to_numpy()
        return split

    def _landed(self, rows: pa.Table, suspect: NDArray[np.bool_]) -> Iterator[pa.Table]:
        chosen = rows.filter(pa.array(suspect))
        for date, places in _by_date(chosen["date"]):
            episodes = chosen["episode_id"].take(pa.array(places)).unique().to_pylist()
            yield from self._landing.committed_rows(date, episodes)


def key_hashes(rows: pa.Table) -> Hashes:
    """Hash each row's key: the producer's own id where it has one, else its place in an episode."""
    frame = pl.DataFrame(rows.select(KEY_COLUMNS)).select(hash_halves(key_expressions())[0])
    hashes: Hashes = frame.to_series().to_numpy()
    return hashes


def _having(hashes: Hashes, rows: pa.Table) -> pa.Table:
    return rows.filter(pa.array(np.isin(key_hashes(rows), hashes)))


def _fingerprints(rows: pa.Table) -> pl.DataFrame:
    """Return each row's key, and 128 bits of hash over everything that its producer said."""
    content = pl.struct(hash_halves(said_columns(rows.column_names)))
    return pl.DataFrame(rows).select(*key_expressions(), content=content)


def _by_date(dates: pa.ChunkedArray) -> list[tuple[str, NDArray[np.int64]]]:
    if len(dates) and pc.all(pc.equal(dates, dates[0])).as_py():  # as is usual in a stream
        return [(dates[0].as_py(), np.arange(len(dates)))]
    encoded = dates.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    names = encoded.dictionary.to_pylist()
    return [(name, np.flatnonzero(codes == code)) for code, name in enumerate(names)]


def _met(runs: HashRuns, ordered: Hashes) -> bool:
    """Say whether any hash was met before, in the window or among themselves."""
    return bool((ordered[1:] == ordered[:-1]).any() or runs.contains(ordered).any())


def _suspects(hashes: Hashes, dates: Sequence[tuple[HashRuns, NDArray[np.int64]]]) -> NDArray[np.bool_]:
    """Say of each row whether its hash was met before, in its date's window or in the batch."""
    suspect = np.zeros(len(hashes), dtype=bool)
    for runs, places in dates:
        by_hash = places[np.argsort(hashes[places], kind="stable")]  # equal ones in the order of the rows
        ordered = hashes[by_hash]
        suspect[by_hash[1:]] = ordered[1:] == ordered[:-1]
        suspect[by_hash] |= runs.contains(ordered)
    return suspect


def _all_fresh(count: int) -> Split:
    return Split(np.ones(count, dtype=bool), np.zeros(count, dtype=bool), np.zeros(count, dtype=bool))
