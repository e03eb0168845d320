"""Snapshots: an immutable choice of steps with an id and its own list of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from lake.commits import CommitLog
from lake.files import read_json, storage_errors, write_json
from lake.sql import TableFiles, connect
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, QueryError

if TYPE_CHECKING:
    from lake.archive import Archive

_FOLDER = "snapshots"
_CONDITION = "It is what stands after WHERE, over the columns of steps."
# What the engine's own list of unsteady functions leaves out.
_CLOCKS = {"age", "current_time", "current_timestamp", "localtime", "localtimestamp", "sample"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Describe a snapshot. Equal ids mean equal files and an equal condition."""

    id: str
    archive: Archive
    version: int
    where: str | None
    files: tuple[str, ...]  # relative to the archive's steps table
    rows: int
    created_at: datetime

    @property
    def spec(self) -> ArchiveSpec:
        """The spec of the archive that the steps are from."""
        return self.archive.spec

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a connection whose view `snapshot.steps` holds the snapshot's files, unfiltered."""
        table = self.archive.table("steps")
        return _connect(table, [str(table.folder / name) for name in self.files])

    @property
    def condition(self) -> str:
        """The SQL condition by which the snapshot's rows are chosen from its files."""
        return f"({self.where}\n)" if self.where else "true"

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of the snapshot."""
        return {
            "id": self.id,
            "archive": self.archive.name,
            "version": self.version,
            "where": self.where,
            "files": list(self.files),
            "rows": self.rows,
            "created_at": self.created_at.isoformat(),
        }


def create_snapshot(archive: Archive, where: str | None) -> Snapshot:
    """Pin the accepted steps of now; the same files and condition give the same id again.

    Raise QueryError for a condition that is not one expression, or that chooses nothing.
    """
    table = archive.table("steps")
    files = tuple(table.file_names())
    rows = _count(table, files, where)
    if not rows:
        nothing = f"No step of {archive.name!r} meets {where!r}" if where else f"{archive.name!r} is empty"
        raise QueryError(
            f"{nothing}: a snapshot of nothing is not made.",
            hint="Ingest steps first, or widen the condition.",
        )
    content = json.dumps([archive.lake_id, archive.name, where, files], separators=(",", ":"))
    snapshot_id = f"{archive.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    path = archive.folder / _FOLDER / f"{snapshot_id}.json"
    if path.exists():
        return _load(archive, path)
    snapshot = Snapshot(snapshot_id, archive, table.version, where, files, rows, datetime.now(UTC))
    with storage_errors(f"create {path.parent}"):
        path.parent.mkdir(exist_ok=True)
    write_json(path, snapshot.to_json())
    return snapshot


def find_snapshot(archives: Sequence[Archive], snapshot_id: str) -> Snapshot:
    """Find a snapshot by its id; raise NotFoundError with the ids that are there."""
    snapshots = list_snapshots(archives)
    for snapshot in snapshots:
        if snapshot.id == snapshot_id:
            return snapshot
    raise NotFoundError(
        "snapshot",
        snapshot_id,
        known=[snapshot.id for snapshot in snapshots],
        hint="Make one: replaylake snapshot create NAME",
    )


def list_snapshots(archives: Sequence[Archive]) -> list[Snapshot]:
    """List the snapshots of archives, oldest first."""
    found = [
        _load(archive, path) for archive in archives for path in (archive.folder / _FOLDER).glob("*.json")
    ]
    return sorted(found, key=lambda snapshot: (snapshot.created_at, snapshot.id))


def _load(archive: Archive, path: Path) -> Snapshot:
    content = read_json(path)
    return Snapshot(
        content["id"],
        archive,
        content["version"],
        content["where"],
        tuple(content["files"]),
        content["rows"],
        datetime.fromisoformat(content["created_at"]),
    )


def _connect(table: CommitLog, files: Sequence[str]) -> duckdb.DuckDBPyConnection:
    return connect({"snapshot": {"steps": TableFiles(table, files)}})


def _count(table: CommitLog, names: Sequence[str], where: str | None) -> int:
    condition = "true" if where is None else f"({where}\n)"  # a comment ends with its line
    with _connect(table, [str(table.folder / name) for name in names]) as connection:
        try:
            if where is not None:
                _check_is_expression(connection, where, table.schema.names)
            found = connection.execute(f"select count(*) from snapshot.steps where {condition}").fetchone()
        except duckdb.Error as exc:
            said = str(exc).partition("\n")[0].rstrip(".")
            raise QueryError(f"The condition {where!r} does not work: {said}.", hint=_CONDITION) from exc
    return 0 if found is None else int(found[0])


def _check_is_expression(connection: duckdb.DuckDBPyConnection, where: str, columns: Collection[str]) -> None:
    """Refuse text that closes our bracket and goes on, and what would choose other rows another time."""
    bare, parsed = (_parsed(connection, condition, where) for condition in ("true", where))
    condition = parsed.pop("where_clause")
    del bare["where_clause"]
    if parsed != bare:
        raise QueryError(f"The condition {where!r} is more than a condition.", hint="Give one expression.")
    unsteady = set(_used(condition)) & _unsteady(connection) - set(columns)
    if unsteady:
        raise QueryError(
            f"The condition {where!r} would choose other rows each time: {', '.join(sorted(unsteady))}.",
            hint="A snapshot never changes: give the value itself, such as a date.",
        )


def _parsed(connection: duckdb.DuckDBPyConnection, condition: str, where: str) -> dict[str, Any]:
    text = f"select 1 from snapshot.steps where ({condition}\n)"
    row = connection.execute("select json_serialize_sql(?::varchar)", [text]).fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if parsed.get("error"):
        said = str(parsed.get("error_message", "")).partition("\n")[0].rstrip(".")
        raise QueryError(f"The condition {where!r} does not parse: {said}.", hint=_CONDITION)
    statements = parsed["statements"]
    if len(statements) != 1:
        raise QueryError(f"The condition {where!r} is more than a condition.", hint="Give one expression.")
    node: dict[str, Any] = statements[0]["node"]
    return {"where_clause": None, **node}


def _used(tree: Any) -> Iterator[str]:
    """Iterate over the names of functions and columns in a parsed expression, and of samplings."""
    if isinstance(tree, dict):
        if tree.get("function_name"):
            yield str(tree["function_name"]).lower()
        if tree.get("column_names"):
            yield str(tree["column_names"][-1]).lower()
        if tree.get("sample"):
            yield "sample"
    for held in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _used(held)


def _unsteady(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Name what gives another value another time; some of it stands without brackets, like a column."""
    found = connection.execute(
        "select distinct function_name from duckdb_functions() where stability <> 'CONSISTENT'"
    ).fetchall()
    return {name for (name,) in found} | _CLOCKS
