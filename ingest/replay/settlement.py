"""Settle which of the rows that pass may land: those whose key nobody has landed under before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.replay.reading import Failure, Places
from ingest.replay.rejudging import Rejudged
from ingest.worker.judging import CLASH, KEY_CONFLICT
from ingest.worker.key_window import KeyWindow, key_hashes

_CLASH = Failure((KEY_CONFLICT,), CLASH)


class LandedFile(Protocol):
    """Read a file of rows that have landed."""

    @property
    def date(self) -> str:
        """The event date of the rows."""

    def keys(self) -> pa.Table:
        """Return the key columns."""

    def rows(self, chosen: NDArray[np.bool_]) -> pa.Table:
        """Return the wire columns of the rows that a mask over `keys` chooses."""


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """Say what becomes of the rows that pass: they land, are there already, or contradict what is there."""

    rows: pa.Table  # to be landed
    landing: Places
    duplicates: Places
    failed: Mapping[int, Failure]


class Landed:
    """Hold the rows that have landed under keys that a batch has, too, to compare the two by."""

    def __init__(self, rows: pa.Table) -> None:
        self._hashes = np.unique(key_hashes(rows))
        self._found: dict[str, list[pa.Table]] = {date: [] for date in rows["date"].unique().to_pylist()}

    @property
    def dates(self) -> list[str]:
        """The event dates to look at."""
        return list(self._found)

    def add(self, files: Iterable[LandedFile]) -> None:
        """Look for the keys in files."""
        for file in files:
            met = np.isin(key_hashes(file.keys()), self._hashes)
            if met.any():
                self._found[file.date].append(file.rows(met))

    def committed_keys(self, date: str) -> Iterator[pa.Table]:
        """Iterate over what was found of an event date."""
        return iter(self._found[date])

    def committed_rows(self, date: str, episodes: Sequence[str | None]) -> Iterator[pa.Table]:
        """Iterate over what was found of an event date."""
        return iter(self._found[date])


def settle(rejudged: Rejudged, open_: NDArray[np.bool_], landed: Landed) -> Settlement:
    """Compare the rows that pass with what has landed, in their order; `open_` says which places count."""
    chosen = open_[rejudged.place]
    rows, place = rejudged.rows.filter(pa.array(chosen)), rejudged.place[chosen]
    whole: list[int] = []  # messages that stay with all of their rows
    while True:
        split = KeyWindow(landed).split(rows, ())
        torn = np.intersect1d(place[split.conflict], place[~split.conflict])
        if not len(torn):
            break
        # Without the rows of the first such message, those behind it may not clash any more.
        whole.append(int(torn[0]))
        keep = place != torn[0]
        rows, place = rows.filter(pa.array(keep)), place[keep]
    failed = dict.fromkeys([*whole, *place[split.conflict].tolist()], _CLASH)
    landing = np.unique(place[split.fresh])
    duplicates = np.setdiff1d(place[split.duplicate], landing)
    return Settlement(rows.filter(pa.array(split.fresh)), landing, duplicates, failed)
