"""What an erasure touches: found before anything is decided, and told without the data itself."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from lake.maintenance.erasure_files import HeldTable, held_tables, is_readable
from lake.maintenance.tombstone import PLACE_COLUMNS, Hasher, Tombstone, words
from lake.maintenance.tombstones import Tombstones
from lake.snapshots import list_snapshots
from lake.tables import ArchiveTables
from lake.views import TableFiles, connect, literal, refused_condition
from schemas.errors import QueryError, UsageError
from schemas.step import KEY_COLUMNS

_BATCH = 1 << 16  # rows
_LISTED = ", ".join([*KEY_COLUMNS, "event_time"])
# The gate says these of accepted rows alone; a condition may name them for both tables.
_AS_STEPS = "select *, null::float as quality_score, null::varchar[] as flags from held.quarantine"


@dataclass(frozen=True, slots=True)
class Criterion:
    """Say what is to be erased: all rows of an agent, of one source or of all, or what a condition chooses.

    An agent's rows are kept out from then on where they happened before the erasure, with `for_good` ever.
    `where` is SQL over the columns of steps; what it chooses now is kept out.
    """

    agent: str | None = None
    source: str | None = None
    where: str | None = None
    for_good: bool = False

    def __post_init__(self) -> None:
        if (self.agent is None) == (self.where is None):
            raise UsageError(
                "Either an agent is erased or what a condition chooses.", hint="Give one of the two."
            )
        if self.agent is None and (self.source is not None or self.for_good):
            raise UsageError("A source, and for good, are said of an agent.", hint="Name the agent.")

    @property
    def condition(self) -> str:
        """The SQL condition that it comes to."""
        if self.agent is None:
            return str(self.where)
        of_source = "" if self.source is None else f" and source = {literal(self.source)}"
        return f"agent_id = {literal(self.agent)}{of_source}"


@dataclass(frozen=True, slots=True)
class TouchedSnapshot:
    """Name a snapshot that holds erased rows, and who has pinned it, such as a model."""

    id: str
    rows: int  # of its files, whether its condition chooses them or not
    pins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """Say what would be erased: rows by table, files, older ones too, and the snapshots that hold them."""

    archive: str
    rows: dict[str, int]
    files: int
    snapshots: tuple[TouchedSnapshot, ...]
    undecoded: int  # rows of quarantine that no condition can judge, for they did not decode
    tombstone: Tombstone = field(repr=False)
    lists: dict[str, frozenset[str]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values, with no data in it."""
        return {
            "archive": self.archive,
            "rows": dict(self.rows),
            "files": self.files,
            "snapshots": [{"id": one.id, "rows": one.rows, "pins": list(one.pins)} for one in self.snapshots],
            "undecoded": self.undecoded,
        }


def plan_erasure(archive: ArchiveTables, criterion: Criterion, reason: str) -> ErasurePlan:
    """Look for what is to be erased, and change nothing.

    Raise QueryError for a condition that is none or chooses nothing. An agent of whom nothing is here can be
    erased: then what comes of it is kept out.
    """
    finder = _Finder(archive, criterion)
    tombstone = finder.tombstone(reason)
    if criterion.where is not None and not tombstone.keys:
        raise QueryError(
            f"No row of {archive.name!r} meets {criterion.where!r}.", hint="Widen the condition."
        )
    rows: dict[str, int] = {}
    dirty: dict[str, int] = {}
    for table in held_tables(archive):
        current = table.current()
        rows[table.kind] = 0
        for name in table.stored():
            count = table.matches(name, tombstone)
            if count:
                dirty[f"{table.kind}/{table.prefix}{name}"] = count
                rows[table.kind] += count if name in current else 0
    return ErasurePlan(
        archive.name,
        rows,
        len(dirty),
        tuple(
            touched_snapshots(
                archive,
                {
                    name.partition("/")[2]: count
                    for name, count in dirty.items()
                    if name.startswith(("steps/", "cold/"))
                },
            )
        ),
        finder.undecoded,
        tombstone,
        finder.lists,
    )


def touched_snapshots(archive: ArchiveTables, dirty: dict[str, int]) -> Iterator[TouchedSnapshot]:
    """Iterate over the snapshots that need files with erased rows, given by how many they hold."""
    for snapshot in list_snapshots([archive]):
        count = sum(dirty.get(name, 0) for name in snapshot.files)
        if count:
            yield TouchedSnapshot(snapshot.id, count, tuple(pin.by for pin in snapshot.pins))


class _Finder:
    """Find the keys of the rows that a criterion chooses, and hash them."""

    def __init__(self, archive: ArchiveTables, criterion: Criterion) -> None:
        self._archive = archive
        self._criterion = criterion
        self._hasher = Hasher(secrets.token_hex(16))
        self._keys: set[str] = set()
        self._agents: set[str] = set()
        self._episodes: set[str] = set()
        self._places: set[str] = set()
        self._latest: datetime | None = None
        self.undecoded = 0
        for table in held_tables(archive):
            if table.kind != "episodes":
                self._look(table)

    @property
    def lists(self) -> dict[str, frozenset[str]]:
        """The hashes of what was found, by their kind."""
        return {
            "keys": frozenset(self._keys),
            "agents": frozenset(self._agents),
            "episodes": frozenset(self._episodes),
            "places": frozenset(self._places),
        }

    def tombstone(self, reason: str) -> Tombstone:
        """Return the tombstone of what was found; nothing of it is stored yet."""
        criterion, now = self._criterion, datetime.now(UTC)
        numbers = Tombstones(self._archive).numbers()
        until = None
        if criterion.agent is not None and not criterion.for_good:
            until = max(now, self._latest or now)  # a clock may run ahead
        return Tombstone(
            number=numbers[-1] + 1 if numbers else 0,
            made_at=now,
            reason=reason,
            salt=self._hasher.salt,
            agent=None if criterion.agent is None else self._hasher("agent", criterion.agent),
            source=None if criterion.source is None else self._hasher("source", criterion.source),
            until=until,
            listed=f"{uuid.uuid4().hex}.parquet",
            **self.lists,
        )

    def _look(self, table: HeldTable) -> None:
        log = table.log
        names = [name for name in table.stored() if is_readable(log, name)]
        view = "quarantine" if table.kind == "quarantine" else "steps"
        with connect({"held": {view: TableFiles(log, names)}}) as connection:
            rows = connection.sql(_AS_STEPS if view == "quarantine" else "select * from held.steps")
            try:
                chosen = rows.filter(self._criterion.condition)  # which takes one expression, and no more
                for batch in chosen.select(_LISTED).to_arrow_reader(_BATCH):
                    self._list(pa.Table.from_batches([batch]))
            except duckdb.Error as exc:
                raise refused_condition(self._criterion.where or "", exc, "steps") from exc
            if view == "quarantine":
                self._look_at_bytes(rows)

    def _list(self, rows: pa.Table) -> None:
        latest = pc.max(rows["event_time"]).as_py()
        if latest is not None:
            self._latest = max(latest, self._latest or latest)
        columns = [rows[name].to_pylist() for name in KEY_COLUMNS]
        for event_id, source, agent, episode, step in zip(*columns, strict=True):
            if source is None:  # it did not decode
                continue
            self._keys.add(self._hasher.key((event_id, source, agent, episode, step)))
            self._agents.add(self._hasher("agent", agent))
            if episode is not None:
                self._episodes.add(self._hasher("episode", source, agent, episode))

    def _look_at_bytes(self, rows: duckdb.DuckDBPyRelation) -> None:
        """Look for the agent's name in what did not decode; a condition says nothing of it."""
        agent = self._criterion.agent
        columns = ", ".join(["raw", *PLACE_COLUMNS])
        undecoded = rows.filter("raw is not null and agent_id is null").select(columns)
        for batch in undecoded.to_arrow_reader(_BATCH):
            for raw, *place in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if agent is not None and _names(raw, agent):
                    self._places.add(self._hasher("place", *place))
                elif agent is None:
                    self.undecoded += 1


def _names(raw: bytes, agent: str) -> bool:
    """Say whether bytes name an agent: as a word of a text, or anywhere in what is none."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return agent.encode() in raw
    return agent in words(raw)
