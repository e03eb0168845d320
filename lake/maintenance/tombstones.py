"""The tombstones of an archive: what must not land in it again.

The record of each is a JSON file with a number, written once; from then on the erasure is decided, whatever
dies. Lists of hashes are beside it, and a report once it is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.files import read_json, write_json, write_json_once
from lake.maintenance.tombstone import Mask, Tombstone
from lake.parquet import unreadable
from lake.stores import Store
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError
from schemas.protocols import Move

FOLDER = "erasures"
_RECORD = re.compile(r"(\d{8})\.json")
_LIST_SCHEMA = pa.schema([("kind", pa.string()), ("hash", pa.string())])
_ABANDONED = timedelta(days=1)


def erasures_id(archive: str) -> str:
    """Name the position, in both tables, of the last erasure that whoever lands rows must know of."""
    return f"{archive}/erasures"


class Tombstones:
    """Know the tombstones of an archive, as of when they were last read."""

    def __init__(self, archive: ArchiveTables) -> None:
        self._store = archive.store.below(FOLDER)
        self._held: dict[int, Tombstone] = {}

    def read(self) -> list[Tombstone]:
        """Read those that came since, and return all by their numbers."""
        for number in self.numbers():
            if number not in self._held:
                self._held[number] = self._load(number)
        return [self._held[number] for number in sorted(self._held)]

    def numbers(self) -> list[int]:
        """Return the numbers of those that are decided, in their order."""
        matches = map(_RECORD.fullmatch, self._store.names(suffix=".json"))
        return sorted(int(match[1]) for match in matches if match)

    def erased(self, rows: pa.Table) -> Mask:
        """Say of rows which of them a tombstone that was read keeps out."""
        found = np.zeros(rows.num_rows, dtype=bool)
        for tombstone in self._held.values():
            found |= tombstone.rows(rows)
        return found

    def write(self, tombstone: Tombstone, touched: Mapping[str, Any]) -> None:
        """Decide an erasure that touches this; raise CommitConflictError where another took the number."""
        record = {**tombstone.to_json(), "touched": dict(touched)}
        name = _record(tombstone.number)
        # Where the store's answer got lost, what is there is ours: no other has its salt.
        if not write_json_once(self._store, name, record) and read_json(self._store, name) != record:
            raise CommitConflictError(
                "Another erasure was decided at the same time.", hint="Look again at what is there."
            )

    def write_lists(self, name: str, lists: Mapping[str, Iterable[str]]) -> None:
        """Write the hashes that a tombstone is to name, by their kind: durable before it is decided."""
        kinds = [kind for kind, hashes in lists.items() for _ in hashes]
        hashes = [one for hashes in lists.values() for one in hashes]
        with self._store.create(name) as file:
            pq.write_table(pa.table([kinds, hashes], schema=_LIST_SCHEMA), file, compression="zstd")

    def touched(self, number: int) -> dict[str, Any]:
        """Return what an erasure was found to touch when it was decided."""
        touched: dict[str, Any] = read_json(self._store, _record(number))["touched"]
        return touched

    def report(self, number: int) -> dict[str, Any] | None:
        """Return the report of an erasure, or None where it is not done."""
        try:
            return read_json(self._store, _done(number))
        except FileNotFoundError:
            return None

    def write_report(self, number: int, report: Mapping[str, Any]) -> None:
        """Say that an erasure is done."""
        write_json(self._store, _done(number), report)

    def clean(self) -> None:
        """Remove the lists of erasures that were never decided, once nobody can be about to."""
        named = {tombstone.listed for tombstone in self.read()}
        limit = datetime.now(UTC) - _ABANDONED
        for file in list(self._store.files()):
            if file.name.endswith(".parquet") and file.name not in named and file.modified < limit:
                self._store.remove(file.name)

    def _load(self, number: int) -> Tombstone:
        record = read_json(self._store, _record(number))
        lists: dict[str, frozenset[str]] = {}
        if record["listed"] is not None:
            lists = _read_lists(self._store, record["listed"])
        until = record["until"]
        return Tombstone(
            number,
            datetime.fromisoformat(record["made_at"]),
            record["reason"],
            record["salt"],
            record["agent"],
            record["source"],
            None if until is None else datetime.fromisoformat(until),
            record["listed"],
            **lists,
        )


def _record(number: int) -> str:
    return f"{number:08d}.json"


def _done(number: int) -> str:
    return f"{number:08d}.done.json"


def _read_lists(store: Store, name: str) -> dict[str, frozenset[str]]:
    with unreadable(store, name), store.open(name) as file:
        rows = pq.read_table(file)
    return {
        kind: frozenset(rows.filter(pc.equal(rows["kind"], kind))["hash"].to_pylist())
        for kind in ("keys", "agents", "episodes", "places")
    }


def append_unerased(archive: ArchiveTables, rows: pa.Table, metadata: Mapping[str, str]) -> int:
    """Append rows to the steps but for those that a tombstone keeps out; return a version that has them."""
    tombstones = Tombstones(archive)
    erasures = erasures_id(archive.name)
    while True:
        steps = archive.table("steps")
        heard = steps.position(erasures)
        tombstones.read()
        kept = rows.filter(pa.array(~tombstones.erased(rows)))
        try:
            return steps.append(kept, {erasures: Move(heard, heard)}, metadata)
        except CommitConflictError:
            if archive.table("steps").position(erasures) == heard:
                raise
