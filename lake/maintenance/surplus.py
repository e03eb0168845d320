"""Find the rows of some files that others of them make superfluous, however many they are.

An index of all keys is made on the local disk, in which the engine looks for those that are there twice; of
these alone more than the key is read then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.views import quoted
from schemas.episodes import EPISODE_KEY
from schemas.errors import StorageError
from schemas.keys import has_key, hash_halves, key_expressions, said_columns
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS

_BATCH = 1 << 16  # rows
_LEAST_MEMORY = 64 << 20  # bytes: the engine needs them
_SQL_TYPES = {pa.string(): "varchar", pa.int32(): "integer", pa.int64(): "bigint"}
_LANDED = ("ingested_at", *(field.name for field in LINEAGE_FIELDS if field.name != "ingested_at"))
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """Say which rows have the same key, and which of them stays: the first by an order of columns.

    Of steps the key is the one that they are known by, and one that says something else than the one that
    stays contradicts it.
    """

    columns: tuple[str, ...]
    order: tuple[str, ...]
    is_newest: bool = False
    of_steps: bool = False


# The first that landed stays. Where rows landed at once, what they are decides, never which file they are in.
FIRST_LANDED = Rule(KEY_COLUMNS, (*_LANDED, "event_time"), of_steps=True)
NEWEST_AUDIT = Rule(EPISODE_KEY, ("audited_version", "audited_at"), is_newest=True)


@dataclass(frozen=True, slots=True)
class Surplus:
    """Say of each row of a file whether it is superfluous, and whether it contradicts the one that stays."""

    rows: Mask
    conflicts: Mask


@dataclass(frozen=True, slots=True)
class Doubled:
    """Count the rows of a file that are superfluous by what stays of another, or the same one."""

    file: str
    first: str
    rows: int
    conflicts: int


class SurplusIndex:
    """Look for superfluous rows in files of a table; what exceeds the memory goes to the folder."""

    def __init__(self, table: CommitLog | StepsTables, rule: Rule, folder: Path, memory: int) -> None:
        self._table = table
        self.rule = rule
        self._numbers: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self.surplus = self.conflicts = 0
        said = said_columns(table.schema.names) if rule.of_steps else []
        self._said = hash_halves(said) if said else [pl.lit(0, pl.UInt64).alias(f"hash_{n}") for n in (0, 1)]
        wanted = {*rule.columns, *rule.order, *said}
        self._columns = [name for name in table.schema.names if name in wanted]
        with _translated():
            self._connection = duckdb.connect(
                config={"memory_limit": f"{max(memory, _LEAST_MEMORY)}B", "temp_directory": str(folder)},
            )
            self._connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def look(self, names: Sequence[str]) -> None:
        """Look through files, and count in `surplus` and `conflicts` what is superfluous and contradicts."""
        self._numbers = {name: number for number, name in enumerate(names)}
        with _translated():
            self._read_keys()
            self._judge()
            query = "select count(*), count(*) filter (conflict) from surplus"
            [(self.surplus, self.conflicts)] = self._connection.execute(query).fetchall()

    def of(self, name: str) -> Surplus | None:
        """Return what was found in a file; None for nothing."""
        if not self.surplus:
            return None
        query = "select place, conflict from surplus where file = ?"
        with _translated():
            found = self._connection.execute(query, [self._numbers[name]]).fetchnumpy()
        if not len(found["place"]):
            return None
        rows, conflicts = (np.zeros(self._rows[name], dtype=bool) for _ in range(2))
        rows[found["place"]] = True
        conflicts[found["place"]] = found["conflict"]
        return Surplus(rows, conflicts)

    def files(self) -> set[str]:
        """Name the files that have superfluous rows."""
        with _translated():
            found = {
                number
                for (number,) in self._connection.execute("select distinct file from surplus").fetchall()
            }
        return {name for name, number in self._numbers.items() if number in found}

    def doubled(self) -> list[Doubled]:
        """Say which files have superfluous rows, and by which files; in the order of the files."""
        query = """
            select file, first_file, count(*), count(*) filter (conflict) from surplus
            group by file, first_file order by file, first_file
        """
        names = list(self._numbers)
        with _translated():
            found = self._connection.execute(query).fetchall()
        return [Doubled(names[file], names[first], *counts) for file, first, *counts in found]

    def _read_keys(self) -> None:
        """Put the hash of each key into the index, and tell the rows whose hash others have, too."""
        self._connection.execute(
            "create table keys (file integer, place bigint, hash_0 ubigint, hash_1 ubigint)"
        )
        for name, number in self._numbers.items():
            for start, rows in batches_of(self._table, name, self.rule.columns):
                frame = pl.DataFrame(rows).with_row_index("place", offset=start)
                known = frame.filter(has_key()) if self.rule.of_steps else frame
                self._rows[name] = start + frame.height
                self._insert("keys", known.select(_file(number), "place", *self._key_halves()))
        self._connection.execute("""
            create table suspects as select file, place from keys semi join (
                select hash_0, hash_1 from keys group by all having count(*) > 1
            ) using (hash_0, hash_1)
        """)

    def _judge(self) -> None:
        """Order the rows that have a key together, and say which of them stay."""
        self._connection.execute(self._empty_table())
        names = list(self._numbers)
        for (number,) in self._connection.execute("select distinct file from suspects").fetchall():
            places = self._places(number)
            for start, rows in batches_of(self._table, names[number], self._columns):
                inside = places[(places >= start) & (places < start + rows.num_rows)]
                self._insert("found", self._described(rows.take(inside - start), number, inside))
        way = "desc" if self.rule.is_newest else "asc"
        order = [*map(quoted, self.rule.order), "said_0", "said_1", "file", "place"]
        by = ", ".join(f"{name} {way} nulls first" for name in order)
        self._connection.execute(f"""
            create table surplus as
            select file, place, first_file, said_0 <> first_0 or said_1 <> first_1 as conflict from (
                select file, place, said_0, said_1, row_number() over by_key as number,
                    first_value(file) over by_key as first_file,
                    first_value(said_0) over by_key as first_0, first_value(said_1) over by_key as first_1
                from found window by_key as (partition by hash_0, hash_1 order by {by})
            ) where number > 1
        """)

    def _empty_table(self) -> str:
        columns = ["file integer", "place bigint"]
        columns += [f"{name} ubigint" for name in ("hash_0", "hash_1", "said_0", "said_1")]
        for name in self.rule.order:
            kind = _SQL_TYPES.get(self._table.schema.field(name).type, "timestamptz")
            columns.append(f"{quoted(name)} {kind}")
        return f"create table found ({', '.join(columns)})"

    def _key_halves(self) -> list[pl.Expr]:
        if not self.rule.of_steps:
            return hash_halves(self.rule.columns)
        return hash_halves(key_expressions())

    def _described(self, rows: pa.Table, number: int, places: NDArray[np.int64]) -> pl.DataFrame:
        return pl.DataFrame(rows).select(
            _file(number),
            pl.Series("place", places),
            *self._key_halves(),
            *(half.alias(f"said_{n}") for n, half in enumerate(self._said)),
            *self.rule.order,
        )

    def _places(self, number: int) -> NDArray[np.int64]:
        query = "select place from suspects where file = ? order by place"
        places: NDArray[np.int64] = self._connection.execute(query, [number]).fetchnumpy()["place"]
        return places

    def _insert(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self._connection.register("given", frame.to_arrow())
            self._connection.execute(f"insert into {table} by name select * from given")
            self._connection.unregister("given")


def _file(number: int) -> pl.Expr:
    return pl.lit(number, pl.Int32).alias("file")


def batches_of(
    table: CommitLog | StepsTables, name: str, columns: Sequence[str]
) -> Iterator[tuple[int, pa.Table]]:
    """Iterate over columns of a file, with the place of each batch's first row."""
    start = 0
    for rows in table.batches(name, columns, _BATCH):
        yield start, rows
        start += rows.num_rows


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as exc:
        said = str(exc).partition("\n")[0].rstrip(".")
        raise StorageError(
            f"Looking for duplicates failed: {said}.",
            hint="Check that the folder for temporary files (TMPDIR) has room.",
        ) from exc
