"""A query's result, in whichever form is asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from lake.sql.spilling import SpillFolder
from lake.sql.stopping import stoppable
from lake.sql.texts import csv_columns, json_line

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_T = TypeVar("_T")
_BATCH = 65_536  # rows


class QueryResult:
    """Hold a query that is ready to run; each of the methods runs it, and gives the rows in one form."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        relation: duckdb.DuckDBPyRelation,
        failed: Callable[[Exception], Exception],
        spill: SpillFolder | None,
        seconds: float | None,
    ) -> None:
        """Take a relation with its connection, which lives as long; `failed` makes our errors of its own.

        `seconds` is how long the engine may work before it gives the first rows, or more of them.
        """
        self._connection = connection
        self._relation = relation
        self._failed = failed
        self._seconds = seconds
        if spill is not None:
            weakref.finalize(self, spill.remove)

    @property
    def columns(self) -> list[str]:
        """The names of the result's columns."""
        return list(self._relation.columns)

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        batches = self.batches()  # one by one: Ctrl-C does not stop what makes a table at once
        return pa.Table.from_batches(list(batches), batches.schema)

    def pl(self) -> pl.DataFrame:
        """Return the rows as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.arrow())

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas frame."""
        frame: pd.DataFrame = self.arrow().to_pandas() if self._has_zones() else self._run(self._relation.df)
        return frame

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples."""
        if self._has_zones():
            table = self.arrow()
            return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return self._run(self._relation.fetchall)

    def batches(self, rows: int = _BATCH) -> pa.RecordBatchReader:
        """Return the rows as Arrow batches of about so many, one after another: not all are in memory."""
        return self._batches(self._relation, rows)

    def json_lines(self, rows: int = _BATCH) -> Iterator[list[str]]:
        """Iterate over the rows as JSON objects, a text for each, so many at a time.

        A number that is not finite is the string NaN, Infinity or -Infinity, and bytes are base64.
        """
        for batch in self._batches(self._run(lambda: json_line(self._relation)), rows):
            yield batch.column(0).to_pylist()

    def csv_batches(self, rows: int = _BATCH) -> pa.RecordBatchReader:
        """Return batches of columns that CSV has a form for: what it has none for is JSON."""
        return self._batches(self._run(lambda: csv_columns(self._relation)), rows)

    def _batches(self, relation: duckdb.DuckDBPyRelation, rows: int) -> pa.RecordBatchReader:
        reader = self._run(lambda: relation.to_arrow_reader(rows))

        def translated() -> Iterator[pa.RecordBatch]:
            while True:
                batch = self._run(lambda: next(reader, None))
                if batch is None:
                    return
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, translated())

    def _run(self, fetch: Callable[[], _T]) -> _T:
        try:
            return stoppable(self._connection, fetch, self._seconds)
        except (duckdb.Error, pa.ArrowException, MemoryError) as exc:
            raise self._failed(exc) from exc
        except RuntimeError as exc:  # at some calls the engine hears of Ctrl-C itself
            if "interrupted" not in str(exc):
                raise
            raise KeyboardInterrupt from exc

    def _has_zones(self) -> bool:
        """Say whether there are times, which the engine itself gives to Python by way of pytz only."""
        return any("WITH TIME ZONE" in str(kind) for kind in self._relation.types)

    def __repr__(self) -> str:
        return self._run(lambda: str(self._relation))
