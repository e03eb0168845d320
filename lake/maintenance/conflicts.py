"""Put the steps that contradict an earlier one into quarantine, before they leave the table of steps.

These are two commits, and a process may die between them. So each row is put there only if it is not there
yet, and a position lets only one process at a time look for that and add.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lake.commits import CommitLog
from lake.maintenance.tombstones import erasures_id
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError, StorageError
from schemas.keys import hash_halves
from schemas.protocols import Move
from schemas.step import GATE_FIELDS

KEY_CONFLICT = "key_conflict"
DETAIL = "a row with this key and other content landed before, as compaction found"
_ATTEMPTS = 50
_JUDGED = frozenset(field.name for field in GATE_FIELDS)


def quarantine_conflicts(archive: ArchiveTables, tables: Iterable[pa.Table], erasures: int) -> None:
    """Put rows of the steps table into quarantine, once however often it is asked; of equal ones one.

    `erasures` is the position of erasures before the rows were looked for. Raise CommitConflictError where
    it moved meanwhile: the rows may be erased by now.
    """
    quarantine = archive.table("quarantine")
    for rows in tables:
        if rows.num_rows:
            _add(archive.name, quarantine, rows, erasures)


def _add(archive: str, quarantine: CommitLog, rows: pa.Table, erasures: int) -> None:
    unmoved = {erasures_id(archive): Move(erasures, erasures)}
    quarantine.add_columns([field for field in rows.schema if field.name not in _JUDGED])
    position_id = f"{archive}/conflicts"
    for _ in range(_ATTEMPTS):
        quarantine.refresh()
        last = quarantine.position(position_id)
        missing = _missing(quarantine, _as_refused(rows, quarantine.schema))
        if not missing.num_rows:
            return
        quarantine.check_positions(unmoved)
        moves = {position_id: Move(last, last + 1), **unmoved}
        try:
            quarantine.append(missing, moves, {"replaylake.origin": "compaction"})
        except CommitConflictError:
            continue
        return
    raise StorageError(
        f"Others put conflicts into the quarantine of {archive!r} {_ATTEMPTS} times before this one.",
        hint="Let one compaction run at a time.",
    )


def _as_refused(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return steps as rows of quarantine; their day is the one on which they landed."""
    count = rows.num_rows
    landed = pc.strftime(rows["ingested_at"], format="%Y-%m-%d")
    made = {
        "reasons": pa.array([[KEY_CONFLICT]] * count, schema.field("reasons").type),
        "detail": pa.repeat(DETAIL, count),
        "date": pc.coalesce(landed, rows["date"]),
    }
    columns = []
    for field in schema:
        held = rows[field.name] if field.name in rows.column_names else pa.nulls(count, field.type)
        columns.append(made.get(field.name, held))
    return pa.table(columns, schema=schema)


def _missing(quarantine: CommitLog, refused: pa.Table) -> pa.Table:
    """Return those of the rows that quarantine does not hold."""
    frame = _marked(refused).with_row_index("place")
    halves = ["hash_0", "hash_1"]
    wanted = frame.unique(halves, keep="first", maintain_order=True)
    days = ", ".join(f"'{day}'" for day in refused["date"].unique().to_pylist() if day and "'" not in day)
    for name in quarantine.file_names(f"date in ({days})"):
        there = quarantine.read(name, None, pc.field("detail") == DETAIL)
        wanted = wanted.join(_marked(there), on=halves, how="anti", maintain_order="left")
    return refused.take(wanted["place"].to_arrow())


def _marked(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(rows).select(hash_halves(rows.column_names))
