"""What a query may name: for completion and for help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lake.cold import StepsTables
from lake.sql.failures import VIEWS
from lake.sql.macros import FUNCTIONS, TABLE_FUNCTIONS
from lake.tables import ArchiveTables
from lake.views import open_connection


@dataclass(frozen=True, slots=True)
class QueryNames:
    """Hold the names: archives, their views and columns, our functions, and the engine's words."""

    archives: tuple[str, ...]
    columns: tuple[str, ...]
    functions: tuple[str, ...]
    keywords: tuple[str, ...]

    @property
    def views(self) -> tuple[str, ...]:
        """The views, with their archives, and the functions that stand where views do."""
        return tuple(f"{name}.{own}" for name in self.archives for own in (*VIEWS, *TABLE_FUNCTIONS))


def query_names(archives: Sequence[ArchiveTables]) -> QueryNames:
    """Return what a query over these archives may name."""
    columns = {column for archive in archives for column in StepsTables(archive).schema.names}
    with open_connection() as connection:
        words = connection.execute(
            "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved' union "
            "select function_name from duckdb_functions() where function_type in ('scalar', 'aggregate') "
            "and regexp_full_match(function_name, '[a-z_0-9]+')"
        ).fetchall()
    return QueryNames(
        archives=tuple(archive.name for archive in archives),
        columns=tuple(sorted({*columns, "action_probability"})),
        functions=tuple(sorted(FUNCTIONS)),
        keywords=tuple(sorted(word for (word,) in words)),
    )
