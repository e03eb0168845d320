"""A tombstone: what it tells of the rows of one erasure, by hashes alone.

The hashes are keyed with a salt of its own: of the agent, of the keys of the erased rows, of the places in
the stream that rows without a key came from. It never holds what it erases.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.episodes import EPISODE_KEY
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS

PLACE_COLUMNS = tuple(row_field.name for row_field in LINEAGE_FIELDS[:-1])
# What rows of the steps and of quarantine are known by; quarantine has the raw bytes as well.
MATCHED_COLUMNS = (*KEY_COLUMNS, "event_time", *PLACE_COLUMNS)
_PARTS = re.compile(rb""""((?:[^"\\]|\\.)*)"|[^\s"',:;={}\[\]()<>|&]+""")
_CELLS = re.compile(rb"[\t,;|\r\n]")
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hasher:
    """Hash what rows are known by, under the salt of one tombstone."""

    salt: str

    def __call__(self, kind: str, *parts: object) -> str:
        """Return the hash of values of a kind."""
        text = json.dumps([kind, *parts])
        return hashlib.blake2b(text.encode(), key=bytes.fromhex(self.salt), digest_size=16).hexdigest()

    def key(self, row: Sequence[Any]) -> str:
        """Return the hash of a row's key, in the order of KEY_COLUMNS: its producer's id counts alone."""
        event_id, source, *rest = row
        return self("key", event_id, source) if event_id is not None else self("key", None, source, *rest)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Tell the rows of one erasure.

    They are those of an agent, of one source or of all, that happened `until` a moment or ever; and those
    whose keys, or whose places in the stream, are among the listed.
    """

    number: int
    made_at: datetime
    reason: str
    salt: str
    agent: str | None = None  # hashed, as everything below
    source: str | None = None
    until: datetime | None = None
    listed: str | None = None  # the name of the file with the lists
    keys: frozenset[str] = field(default=frozenset(), repr=False)
    agents: frozenset[str] = field(default=frozenset(), repr=False)  # whom the keys are of
    episodes: frozenset[str] = field(default=frozenset(), repr=False)  # and in which episodes
    places: frozenset[str] = field(default=frozenset(), repr=False)

    def rows(self, rows: pa.Table) -> Mask:
        """Say of rows, by MATCHED_COLUMNS and `raw` where it is there, which are erased."""
        hasher = Hasher(self.salt)
        found = self._by_agent(rows, hasher)
        found |= self._by_key(rows, hasher, found)
        if "raw" in rows.column_names:
            found |= self._by_bytes(rows, hasher)
        return found

    def of_episodes(self, rows: pa.Table) -> Mask:
        """Say of rows of the episodes' table which tell of erased steps."""
        hasher = Hasher(self.salt)
        found = self._by_agent(rows.append_column("event_time", rows["started_at"]), hasher)
        near = self._among(rows["agent_id"], "agent", self.agents, hasher) & ~found
        for place, key in _picked(rows, EPISODE_KEY, near):
            found[place] = hasher("episode", *key) in self.episodes
        return found

    def _by_agent(self, rows: pa.Table, hasher: Hasher) -> Mask:
        if self.agent is None:
            return np.zeros(rows.num_rows, dtype=bool)
        found = self._among(rows["agent_id"], "agent", {self.agent}, hasher)
        if self.source is not None:
            found &= self._among(rows["source"], "source", {self.source}, hasher)
        return found & self._timely(rows) if found.any() else found

    def _by_key(self, rows: pa.Table, hasher: Hasher, found: Mask) -> Mask:
        near = self._among(rows["agent_id"], "agent", self.agents, hasher) & ~found
        result = np.zeros(rows.num_rows, dtype=bool)
        for place, key in _picked(rows, KEY_COLUMNS, near):
            result[place] = hasher.key(key) in self.keys
        return result

    def _by_bytes(self, rows: pa.Table, hasher: Hasher) -> Mask:
        """Judge what did not decode: by where it came from, and by the agent's name among its words."""
        result = np.zeros(rows.num_rows, dtype=bool)
        if not self.places and self.agent is None:
            return result
        undecoded = np.asarray(pc.and_(rows["raw"].is_valid(), rows["agent_id"].is_null()))
        timely = self._timely(rows)
        for place, (raw, *where) in _picked(rows, ("raw", *PLACE_COLUMNS), undecoded):
            result[place] = hasher("place", *where) in self.places or (
                self.agent is not None
                and bool(timely[place])
                and any(hasher("agent", word) == self.agent for word in words(raw))
            )
        return result

    def _timely(self, rows: pa.Table) -> Mask:
        """Say of rows which happened while the tombstone holds for all that their agent does."""
        if self.until is None:
            return np.ones(rows.num_rows, dtype=bool)
        limit = pa.scalar(self.until, rows["event_time"].type)
        return np.asarray(pc.fill_null(pc.less_equal(rows["event_time"], limit), True))

    @staticmethod
    def _among(column: pa.ChunkedArray, kind: str, wanted: Iterable[str], hasher: Hasher) -> Mask:
        """Say of each value whether its hash is wanted; each value is hashed once."""
        wanted = frozenset(wanted)
        if not wanted or not len(column):
            return np.zeros(len(column), dtype=bool)
        hits = [
            value
            for value in pc.unique(column).to_pylist()
            if value is not None and hasher(kind, value) in wanted
        ]
        return np.asarray(pc.is_in(column, pa.array(hits, column.type)))

    def to_json(self) -> dict[str, Any]:
        """Return the record."""
        return {
            "number": self.number,
            "made_at": self.made_at.isoformat(),
            "reason": self.reason,
            "salt": self.salt,
            "agent": self.agent,
            "source": self.source,
            "until": None if self.until is None else self.until.isoformat(),
            "listed": self.listed,
        }


def words(raw: bytes) -> set[str]:
    """Return what may be an agent's name in bytes that nobody could decode: texts in quotes, words, cells."""
    found: set[str] = set()
    for match in _PARTS.finditer(raw):
        found.add(match[0].decode(errors="replace"))
        if match[1] is not None:
            found.add(match[1].decode(errors="replace"))
            try:
                found.add(str(json.loads(match[0])))
            except ValueError:
                continue
    found.update(cell.strip().decode(errors="replace") for cell in _CELLS.split(raw))
    return found


def _picked(rows: pa.Table, names: Sequence[str], chosen: Mask) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Iterate over chosen rows: their places and their values."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return
    taken = rows.select(list(names)).take(pa.array(places))
    yield from zip(
        places.tolist(), zip(*(column.to_pylist() for column in taken.columns), strict=True), strict=True
    )
