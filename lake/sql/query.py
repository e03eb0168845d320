"""Run one SELECT over the views of archives, in an engine that reads their files and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from lake.sql.conditions import Parameters
from lake.sql.failures import VIEWS, query_error
from lake.sql.limits import QueryLimits
from lake.sql.macros import TABLE_FUNCTIONS, create_functions
from lake.sql.references import (
    SHOWN_VIEWS,
    Reference,
    find_references,
    looks_around,
    shows_tables,
)
from lake.sql.result import QueryResult
from lake.sql.rewriting import rewritten
from lake.sql.sources import Source
from lake.sql.spilling import SpillFolder
from lake.sql.stopping import stoppable
from lake.sql.tree import ParsedQuery, function_names, parse
from lake.tables import ArchiveTables
from lake.views import allow_files, lock, open_connection
from schemas.errors import QueryError

Values = Sequence[Any] | Mapping[str, Any] | None


def run_query(
    archives: Sequence[ArchiveTables],
    query: str,
    parameters: Values = None,
    limits: QueryLimits | None = None,
) -> QueryResult:
    """Prepare one SELECT over the views of archives; only those that it names are opened."""
    named = {archive.name: archive for archive in archives}
    bounds = limits or QueryLimits()
    spill = _spill_folder() if bounds.spills else None
    try:
        return _prepared(named, query, parameters, bounds, spill)
    except BaseException as exc:
        if spill is not None:
            spill.remove()
        if isinstance(exc, duckdb.OutOfMemoryException):
            raise QueryError(
                f"The query needs more memory than {bounds.memory}.",
                hint="Allow more: --memory 1GB, or QueryLimits(memory='1GB').",
            ) from exc
        if isinstance(exc, duckdb.Error | MemoryError | RecursionError):
            raise query_error(exc) from exc
        raise


def _prepared(
    archives: Mapping[str, ArchiveTables],
    query: str,
    parameters: Values,
    limits: QueryLimits,
    spill: SpillFolder | None,
) -> QueryResult:
    connection = open_connection(
        {
            "memory_limit": limits.memory,
            "max_execution_time": 0 if limits.seconds is None else max(1, int(limits.seconds * 1000)),
            "temp_directory": "" if spill is None else str(spill.path),
            **({} if spill is None else {"max_temp_directory_size": limits.spill}),
        }
    )
    parsed = parse(connection, query)
    create_functions(connection, function_names(parsed))
    names = sorted(archives)
    references = stoppable(  # versions are worked out
        connection, lambda: find_references(connection, parsed, names, _by_sign(parameters)), limits.seconds
    )
    sources = _sources(archives, references, parsed)
    every = list(dict.fromkeys(sources.values()))
    allow_files(connection, [table for source in every for table in source.tables()])
    for source in every:
        source.check_files()
        source.create(connection)
    lock(connection)
    schemas = {one: sources[one].schema for one in references}
    text = SHOWN_VIEWS if shows_tables(parsed) else rewritten(connection, parsed, schemas)
    columns = [name for source in every for name in source.columns]

    def failed(exc: Exception) -> Exception:
        return query_error(exc, names, columns=columns, given=_by_sign(parameters))

    try:
        # What stands in FROM has its arguments worked out now.
        relation = stoppable(connection, lambda: connection.sql(text, params=parameters), limits.seconds)
    except (duckdb.Error, UnicodeError, MemoryError, RecursionError) as exc:
        raise failed(exc) from exc
    return QueryResult(connection, relation, failed, spill, limits.seconds)


def _spill_folder() -> SpillFolder | None:
    """Make the folder; where there is no place for one, most queries do without."""
    try:
        return SpillFolder()
    except OSError:
        return None


def _sources(
    archives: Mapping[str, ArchiveTables], references: Sequence[Reference], parsed: ParsedQuery
) -> dict[Any, Source]:
    """Return the source of each reference; those that read the same share one.

    An archive's first source is below its own name, so that the query may stay as it is.
    """
    made: dict[tuple[Any, ...], Source] = {}
    found: dict[Any, Source] = {}
    for one in references:
        days_apart = one.view == "transitions" and any(held.column == "date" for held in one.conditions)
        conditions = one.conditions if one.view != "episodes" else _of_keys(one)
        wanted = (one.archive, one.at, conditions, days_apart)
        if wanted not in made:
            taken = sum(source.archive.name == one.archive for source in made.values())
            schema = one.archive if not taken else f"{one.archive}@{taken}"
            made[wanted] = Source(archives[one.archive], schema, one.at, conditions)
        made[wanted].views.add(one.view)
        found[one] = made[wanted]
    if looks_around(parsed):
        missing = set(archives) - {one.archive for one in references}
        for name in sorted(missing):
            found[name] = Source(archives[name], name, None, frozenset(), {*VIEWS, *TABLE_FUNCTIONS})
    return found


def _of_keys(reference: Reference) -> Any:
    return frozenset(one for one in reference.conditions if one.column != "date")


def _by_sign(parameters: Values) -> Parameters:
    """Return parameters by the names that the parser gives them: their own, or their places."""
    if parameters is None:
        return {}
    if isinstance(parameters, Mapping):
        return dict(parameters)
    return {str(place): value for place, value in enumerate(parameters, 1)}
