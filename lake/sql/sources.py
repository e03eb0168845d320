"""From the views that a query names to the files that they read, at their versions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import duckdb

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.episode_query import episodes_query
from lake.episodes import audited_schema, episodes_files
from lake.horizon import oldest_version
from lake.parquet import partition_values
from lake.replay_log import ReplayLog
from lake.sql.conditions import KEYS, Condition
from lake.sql.macros import TABLE_FUNCTIONS, create_table_functions
from lake.sql.references import At
from lake.stores import Store
from lake.tables import ArchiveTables
from lake.view_queries import (
    audited_query,
    columns_shown,
    days_and_the_rest,
    quarantine_queries,
    transitions_query,
    turns_query,
)
from lake.views import NoFiles, TableFiles, create_view, quoted, table_source
from schemas.errors import NotFoundError, QueryError, StorageError

_Log = TypeVar("_Log", StepsTables, CommitLog)
_QUARANTINE = ("quarantine", "quarantine_all")


@dataclass(eq=False)
class Source:
    """Read an archive's views at one version, from the files in which an answer may be."""

    archive: ArchiveTables
    schema: str  # what its views are below
    at: At
    conditions: frozenset[Condition]
    views: set[str] = field(default_factory=set)

    def tables(self) -> list[TableFiles]:
        """Return the tables whose files the views read."""
        chosen, others = self._steps
        found = [chosen, *([others] if others else [])] if self._reads_steps else []
        found += [self._audited] if "episodes" in self.views else []
        return found + ([self._quarantine] if self.views.intersection(_QUARANTINE) else [])

    @property
    def columns(self) -> list[str]:
        """The names of the columns that the views have."""
        return list(dict.fromkeys(name for table in self.tables() for name in table.schema.names))

    def check_files(self) -> None:
        """Raise NotFoundError where files of an older version were vacuumed."""
        if self.at is None:
            return
        if self._reads_steps:
            newest = StepsTables(self.archive)
            rewritten = sorted(set(self._log.file_names()) - set(newest.file_names()))
            self._check_there([self._log.place(name) for name in rewritten], newest.version)
        if self.views.intersection(_QUARANTINE):
            table = self.archive.table("quarantine")
            rewritten = sorted(set(_at(table, self.at).file_names()) - set(table.file_names()))
            self._check_there([(table.store, name) for name in rewritten], table.version)

    def _check_there(self, places: Sequence[tuple[Store, str]], newest: int) -> None:
        for store, name in places:
            if not store.exists(name):
                raise NotFoundError(
                    "version", str(self.at), hint=f"Its files were vacuumed. The newest is {newest}."
                )

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the views that are asked for."""
        connection.execute(f"create schema {quoted(self.schema)}")
        if self._reads_steps:
            self._create_steps(connection)
        if "episodes" in self.views:
            source = table_source(connection, f"{self.schema}.audited", self._audited)
            query = audited_query(columns_shown(audited_schema().names), source)
            create_view(connection, self.schema, "our audited", query)
            own = quoted(self.schema)
            query = episodes_query(f"{own}.steps", f'{own}."our audited"')
            create_view(connection, self.schema, "episodes", query)
        if self.views.intersection(_QUARANTINE):
            table = self._quarantine
            source = table_source(connection, f"{self.schema}.quarantine", table)
            shown = columns_shown(table.schema.names)
            for view, query in quarantine_queries(shown, source, table.resolved_source).items():
                create_view(connection, self.schema, view, query)

    def _create_steps(self, connection: duckdb.DuckDBPyConnection) -> None:
        chosen, others = self._steps
        shown = columns_shown(chosen.schema.names)
        source = table_source(connection, f"{self.schema}.steps", chosen)
        create_view(connection, self.schema, "steps", f"select {shown} from {source}")
        own = f"{quoted(self.schema)}.steps"
        if others is not None:
            rest = table_source(connection, f"{self.schema}.others", others)
            create_view(connection, self.schema, "our others", f"select {shown} from {rest}")
            own = days_and_the_rest(own, f'{quoted(self.schema)}."our others"')
        if "transitions" in self.views:
            create_view(connection, self.schema, "transitions", transitions_query(own))
        if self.views.intersection(TABLE_FUNCTIONS):
            create_view(connection, self.schema, "our turns", turns_query(own))
            create_table_functions(connection, self.schema)

    @property
    def _reads_steps(self) -> bool:
        return not self.views.issubset(_QUARANTINE)

    @cached_property
    def _log(self) -> StepsTables:
        return _at(StepsTables(self.archive), self.at)

    @cached_property
    def _steps(self) -> tuple[TableFiles, TableFiles | None]:
        """Return the files that may meet the conditions, and those of other days that transitions need."""
        log = self._log
        keys = sorted(one.predicate for one in self.conditions if one.column in KEYS)
        names = log.file_names(" and ".join(keys) or None)
        days = [one for one in self.conditions if one.column == "date"]
        chosen = [name for name in names if all(day.holds(_date(name, log.partition_by)) for day in days)]
        others = [name for name in names if name not in set(chosen)] if "transitions" in self.views else []
        if others and not chosen:
            others = []
        held = TableFiles(log, chosen) if chosen or not names else TableFiles(log, [])
        return held, TableFiles(log, others) if others else None

    @cached_property
    def _audited(self) -> TableFiles:
        return episodes_files(self.archive) if self.archive.is_audited else NoFiles(audited_schema())

    @cached_property
    def _quarantine(self) -> TableFiles:
        steps = self.archive.table("steps")  # opened first: what a replay has landed by then is in quarantine
        resolved = ReplayLog(self.archive, steps).lists()
        log = _at(self.archive.table("quarantine"), self.at)
        days = [one for one in self.conditions if one.column == "date"]
        names = log.file_names()
        chosen = [name for name in names if all(day.holds(_date(name, log.partition_by)) for day in days)]
        return TableFiles(log, chosen, resolved=resolved)


def _date(name: str, partition_by: Sequence[str]) -> str | None:
    return partition_values(name, partition_by)["date"]


def _at(log: _Log, at: At) -> _Log:
    """Return the table as of a version or a time; raise an error where that is none of its own."""
    if at is None:
        return log
    oldest = oldest_version(log.store)
    commits = [commit for commit in log.commits() if int(commit["version"]) >= oldest]
    told = [int(commit["version"]) for commit in commits]
    if isinstance(at, datetime):
        moment = at.timestamp() * 1000
        before = [commit["version"] for commit in commits if commit["timestamp"] <= moment]
        if not before:
            if not commits:
                raise QueryError("No version is that old: of none is the time told any more.")
            # Rounded up: asked for, it is there.
            first = datetime.fromtimestamp(math.ceil(commits[0]["timestamp"] / 1000), at.tzinfo)
            raise QueryError(f"No version is that old: the first is of {first.isoformat(' ')}.")
        return log.at(int(before[-1]))
    hint = f"The newest is {log.version}" + (f", the oldest {min(told)}." if told else ".")
    if at < 0 or at > log.version:
        raise NotFoundError("version", str(at), hint=hint)
    try:
        return log.at(at)
    except (NotFoundError, StorageError) as exc:
        raise NotFoundError("version", str(at), hint=f"It was cleaned up. {hint}") from exc
