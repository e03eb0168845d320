"""Check the files of one table against its log: that they are there, whole, and hold what the log says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.commits import CommitLog
from lake.maintenance.check_report import Problem
from lake.parquet import partition_values, unreadable
from schemas.errors import StorageError

_BATCH = 1 << 16  # rows
_THREADS = 8  # that read footers: most of their time is waiting
_DAY = re.compile(r"-?\d{4,}-\d\d-\d\d")
RESTORE = "Restore the file from a copy; without one, what it held is lost."


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """Name a table to check, and the columns that it is to have."""

    name: str
    log: CommitLog
    schema: pa.Schema
    dated_by_event: bool = False  # whether the day of a row is that of its event


class TableCheck:
    """Check one table at the version that its handle is pinned to."""

    def __init__(self, table: CheckedTable) -> None:
        self._table = table
        self._log = table.log
        self._schema = table.log.schema
        self._partition_by = table.log.partition_by
        self._stored = {file.name: file.size for file in table.log.store.files()}
        self.files = table.log.file_sizes()

    def problems(self, *, deep: bool) -> Iterator[Problem]:
        """Look at every file; `deep` reads all of its rows, and otherwise only its end."""
        yield from self._columns_of_table()
        whole = []
        for name, rows, size in self.files:
            found = self._problem_of_storage(name, size)
            if found is None:
                whole.append((name, rows))
            else:
                yield found
        with ThreadPoolExecutor(_THREADS) as threads:
            ends = list(threads.map(lambda file: self._problems_of_end(*file), whole))
        yield from chain.from_iterable(ends)
        if deep:
            for (name, rows), known in zip(whole, ends, strict=True):
                if not known:
                    yield from self._problems_of_rows(name, rows)

    def _columns_of_table(self) -> Iterator[Problem]:
        wanted = {field.name: field.type for field in self._table.schema}
        held = {field.name: field.type for field in self._schema}
        for name in sorted(wanted.keys() | held.keys()):
            if wanted.get(name) == held.get(name):
                continue
            is_, should = held.get(name, "lacking"), wanted.get(name, "none")
            what = f"the column {name} is {is_}, and the spec says {should}"
            mend = (
                "Land anything: the table then gets the column that its spec has."
                if name not in held
                else "Restore the archive's spec from a copy."
            )
            yield self._problem("wrong_columns", "", what, mend)

    def _problem_of_storage(self, name: str, size: int) -> Problem | None:
        if name not in self._stored:
            return self._problem("missing_file", name, "the file is not there", RESTORE)
        if self._stored[name] != size:
            what = f"the file has {self._stored[name]} bytes, and the log says {size}"
            return self._problem("wrong_size", name, what, RESTORE)
        day = partition_values(name, self._partition_by)["date"]
        if day is None or _DAY.fullmatch(day) is None:
            return self._problem("wrong_partition", name, f"{day!r} is no day", RESTORE)
        return None

    def _problems_of_end(self, name: str, rows: int) -> list[Problem]:
        """Look at a file's footer: its rows and its columns."""
        store = self._log.store
        try:
            with unreadable(store, name), store.open(name) as source, pq.ParquetFile(source) as file:
                count, schema = file.metadata.num_rows, file.schema_arrow
        except StorageError as exc:
            return [self._problem("unreadable", name, exc.message.rstrip("."), RESTORE)]
        found = []
        if count != rows:
            what = f"the file has {count} rows, and the log says {rows}"
            found.append(self._problem("wrong_rows", name, what, RESTORE))
        may_lack = {*self._log.added_columns, *self._partition_by}
        for field in self._schema:
            if field.name not in schema.names:
                if field.name not in may_lack:
                    what = f"the file lacks the column {field.name}"
                    found.append(self._problem("wrong_columns", name, what, RESTORE))
            elif field.name not in self._partition_by and schema.field(field.name).type != field.type:
                what = f"the column {field.name} is {schema.field(field.name).type}, not {field.type}"
                found.append(self._problem("wrong_columns", name, what, RESTORE))
        return found

    def _problems_of_rows(self, name: str, rows: int) -> Iterator[Problem]:
        """Read all of a file, which looks at the checksum of each page, and compare its days."""
        count = strangers = 0
        try:
            for batch in self._log.batches(name, None, _BATCH):
                count += batch.num_rows
                if self._table.dated_by_event:
                    strangers += _strangers(batch)
        except StorageError as exc:
            yield self._problem("unreadable", name, exc.message.rstrip("."), RESTORE)
            return
        if count != rows:
            what = f"{count} rows could be read, and the log says {rows}"
            yield self._problem("wrong_rows", name, what, RESTORE)
        if strangers:
            day = partition_values(name, self._partition_by)["date"]
            what = f"{strangers} rows are of another day than {day}"
            mend = "Erase those rows, which keeps their keys out, and land them again under another source."
            yield self._problem("wrong_partition", name, what, mend)

    def _problem(self, code: str, file: str, what: str, mend: str) -> Problem:
        return Problem(code, self._table.name, file, what, mend)


def _strangers(rows: pa.Table) -> int:
    days = pc.strftime(rows["event_time"], format="%Y-%m-%d")
    return int(pc.sum(pc.not_equal(days, rows["date"])).as_py() or 0)
