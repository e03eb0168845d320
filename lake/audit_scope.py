"""What an audit looks at: one version of an archive's tables, and what of it no audit has looked at yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from lake.audit_log import AuditLog
from lake.cold import StepsTables
from lake.episodes import EpisodeLog, audited_schema
from lake.parquet import partition_values
from lake.rows import CHOSEN, ORDER, as_steps, one_row, parts_of, sample, select_steps, translated
from lake.tables import ArchiveTables
from lake.views import NoFiles, TableFiles, connect, quoted
from schemas.episodes import EPISODE_KEY, EPISODES_SCHEMA
from schemas.errors import NotFoundError, StorageError
from schemas.protocols import Move
from schemas.step import TIMESTAMP

_KEY = ", ".join(EPISODE_KEY)
_ENDS = 5  # rows that are shown of an episode at its beginning, and at its end


@dataclass(frozen=True, slots=True)
class Tally:
    """Count what landed and what was refused since the last audit."""

    rows: int
    quarantined: int
    rejects: Mapping[str, int]  # by reason; a row counts under each of its reasons
    flags: Mapping[str, int]  # by code, likewise
    quality: float | None  # the mean


class AuditScope:
    """Read what an audit has to look at, and land what it found. Nothing that lands meanwhile is in it.

    `since` is the last version of the steps that was looked at before, -1 where everything is: at the first
    time, with `full`, and where the table's log does not tell any more what came after that version.
    `files` are those of the steps that are read: the new ones, and those with earlier rows of their episodes.
    """

    def __init__(self, archive: ArchiveTables, *, full: bool = False) -> None:
        self._archive = archive
        # Opened before the tables: positions are never ahead of what they are positions in.
        self._log = EpisodeLog(archive)
        self._steps, self._quarantine = StepsTables(archive), archive.table("quarantine")
        self.previous = self._log.position("steps")
        self._audits = AuditLog(archive.store, self.previous)
        self._refused_before = self._log.position("quarantine")
        self.version = self._steps.version
        if self.version < self.previous or self._quarantine.version < self._refused_before:
            raise StorageError(
                f"The steps of {archive.name!r} were audited up to version {self.previous}, "
                f"and end at {self.version}.",
                hint="Restore the archive's folder from one copy, whole.",
            )
        added = None if full else self._steps.added(self.previous)
        refused = None if full else self._quarantine.added(self._refused_before)
        self.since = -1 if added is None else self.previous
        self._added = self._steps.file_names() if added is None else added
        self._refused = self._quarantine.file_names() if refused is None else refused
        self.files = self._now_in() if self.since >= 0 else list(self._added)

    @property
    def is_empty(self) -> bool:
        """Whether nothing landed, and nothing was refused, since the last audit."""
        return not self._added and not self._refused

    @property
    def history(self) -> list[dict[str, Any]]:
        """The documents of the audits before, oldest first; see `AuditLog.history`."""
        return self._audits.history()

    @property
    def first_version(self) -> int | None:
        """The version that the first of them looked up to."""
        return self._audits.first_version()

    @property
    def latest(self) -> dict[str, Any] | None:
        """What the last audit found."""
        return self._audits.latest()

    def tally(self) -> Tally:
        """Count the new rows."""
        with self._connected() as connection:
            rows, quality = one_row(connection, "select count(*), avg(quality_score) from audit.landed")
            (quarantined,) = one_row(connection, "select count(*) from audit.refused")
            return Tally(
                rows=rows,
                quarantined=quarantined,
                rejects=_counts(connection, "reasons", "refused"),
                flags=_counts(connection, "flags", "landed"),
                quality=quality,
            )

    def whole_episodes(self, most_rows: int) -> Iterator[pa.Table]:
        """Iterate over the episodes that new rows are of, with all their rows and all their agents.

        A table has about `most_rows` rows; no episode is in two of them. Which are together hangs on a
        hash of the episode's id. Rows of no episode are left out.
        """
        touched = "select distinct source, episode_id from audit.landed where episode_id is not null"
        rows = "audit.looked semi join touched using (source, episode_id)"
        with self._connected() as connection:
            (count,) = one_row(connection, f"with touched as ({touched}) select count(*) from {rows}")
            parts = parts_of(count, most_rows)
            for part in range(parts):
                chosen = f"{touched} and {CHOSEN.format(parts=parts, part=part)}"
                query = f"with touched as ({chosen}) {self._select(rows)} order by {ORDER}"
                yield as_steps(connection.sql(query), self._archive.spec)

    def new_rows(self, most_rows: int) -> pa.Table:
        """Return the new rows, or about so many of them: whole episodes' worth, always the same ones."""
        with self._connected() as connection:
            return sample(connection, "audit.landed", "true", self._archive.spec, most_rows)

    def rows_at(self, version: int, most_rows: int) -> pa.Table | None:
        """Return rows that an earlier version had, likewise; None where it cannot be told any more."""
        try:
            held = self._steps.at(version).file_names()
        except (NotFoundError, StorageError):
            return None
        views = {"audit": {"landed": TableFiles(self._steps, held)}}
        with translated(), connect(views) as connection:
            return sample(connection, "audit.landed", "true", self._archive.spec, most_rows)

    def ends_of(self, episodes: pa.Table) -> pa.Table:
        """Return the first and the last rows of some episodes, given by their key columns."""
        place = f"row_number() over (partition by {_KEY} order by step {{}}, event_id)"
        with self._connected() as connection:
            connection.register("episode_keys", episodes.select(list(EPISODE_KEY)))
            query = f"""
                {self._select(f"audit.looked semi join episode_keys using ({_KEY})")}
                qualify {place.format("asc")} <= {_ENDS} or {place.format("desc")} <= {_ENDS}
                order by {ORDER}
            """
            return as_steps(connection.sql(query), self._archive.spec)

    def alike(self, episodes: pa.Table) -> pa.Table:
        """Return audited episodes of the same content as some of these, and not themselves among them."""
        return self._audited(episodes, "fingerprint in (select fingerprint from given)")

    def left_open(self, episodes: pa.Table) -> pa.Table:
        """Return audited episodes without an end of the agents of these, but for those told of before.

        An episode was told of before where one that its agent ended later was audited before, too.
        """
        return self._audited(
            episodes,
            """
            ending is null
            and exists (from given where given.source = held.source and given.agent_id = held.agent_id)
            and not exists (
                from audit.episodes as later anti join given using (source, agent_id, episode_id)
                where later.source = held.source and later.agent_id = held.agent_id
                    and later.ending is not null and later.started_at > held.ended_at
            )
            """,
        )

    def _audited(self, given: pa.Table, condition: str) -> pa.Table:
        """Return audited episodes that meet a condition and are none of those given."""
        columns = ", ".join(map(quoted, EPISODES_SCHEMA.names))
        query = (
            f"select {columns} from audit.episodes as held anti join given using ({_KEY}) where {condition}"
        )
        with self._connected() as connection:
            connection.register("given", given)
            return connection.sql(query).to_arrow_table().cast(EPISODES_SCHEMA)

    def land(self, episodes: pa.Table, document: Mapping[str, Any], at: datetime) -> None:
        """Land what was found of episodes, and the document in the history.

        Of the episodes only those are appended of which something else was found before, or nothing. Raise
        CommitConflictError where another audit has landed meanwhile: this one counts for nothing then.
        """
        rows = self._changed(episodes)
        count = rows.num_rows
        rows = rows.append_column("audited_version", pa.repeat(pa.scalar(self.version), count))
        rows = rows.append_column("audited_at", pa.repeat(pa.scalar(at, TIMESTAMP), count))
        self._audits.write(document, self.version, self.previous)
        self._log.land(
            rows.cast(audited_schema()),
            {
                "steps": Move(self.previous, self.version),
                "quarantine": Move(self._refused_before, self._quarantine.version),
            },
        )

    def _changed(self, episodes: pa.Table) -> pa.Table:
        columns = ", ".join(map(quoted, EPISODES_SCHEMA.names))
        with self._connected() as connection:
            connection.register("given", episodes)
            query = f"select {columns} from given except select {columns} from audit.episodes"
            return connection.sql(query).to_arrow_table()

    def _now_in(self) -> list[str]:
        """Name the files that hold the new rows now, and those with earlier rows of their episodes.

        A compaction may have rewritten what landed: its rows are then in other files of their days.
        """
        held = self._steps.file_names()
        gone = set(self._added) - set(held)
        days = {self._day(name) for name in gone}
        rewritten = [name for name in held if self._day(name) in days]
        there = [name for name in self._added if name not in gone]
        return list(dict.fromkeys([*there, *rewritten, *self._older()]))

    def _day(self, name: str) -> str | None:
        return partition_values(name, self._steps.partition_by)["date"]

    def _older(self) -> list[str]:
        """Name the files that may hold earlier rows of the episodes that new rows are of.

        Those rows were audited, so the table of episodes knows their days.
        """
        if self.since < 0 or self._log.table is None:
            return []
        query = """
            select count(*), count(started_at), min(least(date, strftime(started_at, '%Y-%m-%d'))),
                max(greatest(date, strftime(ended_at, '%Y-%m-%d')))
            from audit.episodes semi join audit.landed using (source, episode_id)
        """
        with translated(), connect({"audit": self._landed_views()}) as connection:
            known, timed, first, last = one_row(connection, query)
        if not known:
            return []
        days = f"date >= '{first}' and date <= '{last}'" if known == timed else None
        return [name for name in self._steps.file_names(days) if name not in set(self._added)]

    def _landed_views(self) -> dict[str, TableFiles]:
        held = self._log.table
        return {
            "landed": TableFiles(self._steps, self._added),
            "episodes": NoFiles(audited_schema()) if held is None else TableFiles(held),
        }

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        views = self._landed_views() | {
            "looked": TableFiles(self._steps, self.files),
            "refused": TableFiles(self._quarantine, self._refused),
        }
        with translated(), connect({"audit": views}) as connection:
            yield connection

    def _select(self, source: str) -> str:
        return select_steps(self._archive.spec, source)


def _counts(connection: duckdb.DuckDBPyConnection, column: str, view: str) -> dict[str, int]:
    query = f"""
        select code, count(*) as rows from (select unnest({column}) as code from audit.{view})
        group by code order by rows desc, code
    """
    return dict(connection.sql(query).fetchall())
