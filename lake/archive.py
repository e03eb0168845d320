"""An archive: the door to the spec, the suite and the tables of one kind of experience.

What a method needs beyond these it imports itself: who opens an archive need not wait for all of the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.creation import make_archive
from lake.evolution import evolve, settle
from lake.files import write_json
from lake.spec_log import newest_spec
from lake.stores import Store
from lake.tables import SUITE_FILE, ArchiveTables
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StorageError
from schemas.step import steps_schema, wire_schema

if TYPE_CHECKING:
    from lake.history import TableVersion
    from lake.maintenance.compaction_report import CompactionReport
    from lake.maintenance.erasure_plan import Criterion, ErasurePlan
    from lake.maintenance.erasure_report import ErasureReport
    from lake.maintenance.part_rewrite import CompactionOptions
    from lake.maintenance.retain import RetentionReport
    from lake.snapshots import Snapshot
    from lake.statistics.collecting import Report
    from lake.statistics.results import ArchiveStatistics, By
    from schemas.protocols import TableName
    from schemas.steps import Steps


class Archive(ArchiveTables):
    """Give access to one archive of a lake; made by `Lake.create` and `Lake.archive`."""

    @classmethod
    def create(
        cls, lake_store: Store, spec: ArchiveSpec, suite: Mapping[str, Any] | None, lake_id: str
    ) -> Archive:
        """Make an archive, whole or not at all; see `make_archive`."""
        return cls(lake_store, make_archive(lake_store, spec, suite), lake_id)

    @classmethod
    def open(cls, lake_store: Store, name: str, lake_id: str) -> Archive:
        """Open an archive that is there; raise NotFoundError where it is not."""
        store = lake_store.below(name)
        spec, version = newest_spec(store, name)
        if spec.name != name:
            raise StorageError(
                f"The folder {store.url} holds the archive {spec.name!r}.",
                hint=f"Name the folder {spec.name} again: an archive's name is not changed by its folder's.",
            )
        return cls(lake_store, spec, lake_id, version)

    def change_suite(self, suite: Mapping[str, Any]) -> None:
        """Judge rows that are ingested from now on by another suite; what has landed stays."""
        write_json(self.store, SUITE_FILE, suite)

    def append(self, steps: Steps) -> int:
        """Land steps that need no gate, such as a converted dataset; return the new version.

        They carry no stream position: appending them twice lands them twice. What was erased from the archive
        is left out. Raise StepsError for steps of another spec that do not follow this archive's.
        """
        from lake.maintenance.tombstones import append_unerased
        from schemas.steps import Steps

        if steps.spec != self.spec or not steps.table.schema.equals(wire_schema(self.spec)):
            # Specs that are equal may name their fields in other orders.
            steps = Steps(steps.table, self.spec)
        settle(self, self.spec)
        return append_unerased(self, _as_landed(steps), {"replaylake.origin": "append"})

    def evolve(self, spec: ArchiveSpec) -> None:
        """Let the spec grow by extra columns, which rows that are there lack, or change its settings.

        Spaces, partitions and columns that are there cannot change. Raise SpecError for such a change, and
        CommitConflictError where another process changed the spec since this was opened.
        """
        self._spec_version = evolve(self, spec)
        self._spec = spec

    def versions(self, table: TableName = "steps", limit: int | None = None) -> list[TableVersion]:
        """List what was done to a table, newest first; see `archive_versions`."""
        from lake.history import archive_versions

        return archive_versions(self, table, limit)

    def compact(
        self,
        options: CompactionOptions | None = None,
        on_progress: Callable[[CompactionReport], None] = lambda report: None,
    ) -> CompactionReport:
        """Rewrite small files into large ones, sorted, each key once; see `compact_archive`."""
        from lake.maintenance.compact import compact_archive

        return compact_archive(self, options, on_progress)

    def retain(self, *, today: date | None = None, dry_run: bool = False) -> RetentionReport:
        """Move steps of old days to the cold place, and delete older ones, as the spec says; see `retain`."""
        from lake.maintenance.retain import retain

        return retain(self, today=today, dry_run=dry_run)

    def plan_erasure(self, criterion: Criterion, reason: str) -> ErasurePlan:
        """Say what an erasure would touch, and change nothing; see `plan_erasure`."""
        from lake.maintenance.erasure_plan import plan_erasure

        return plan_erasure(self, criterion, reason)

    def erase(self, plan: ErasurePlan, cache_folder: Path | None = None) -> ErasureReport:
        """Erase what was planned, for good, and keep it out; `Lake.cache_folder` is purged where given."""
        from lake.maintenance.erase import erase

        return erase(self, plan, cache_folder)

    def snapshot(
        self,
        where: str | None = None,
        *,
        episodes: str | None = None,
        any_step: str | None = None,
        all_steps: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Snapshot:
        """Keep the accepted steps of now, or those that are chosen, under an immutable id.

        `where` is an SQL condition on a step, `episodes` one on a row of each episode; `any_step` and
        `all_steps` choose the episodes of which a step, or each of them, meets a condition.
        """
        from lake.snapshots import create_snapshot

        return create_snapshot(
            self, where, episodes=episodes, any_step=any_step, all_steps=all_steps, columns=columns
        )

    def statistics(
        self,
        since: date | None = None,
        until: date | None = None,
        *,
        by: By | None = None,
        policy: str | None = None,
        source: str | None = None,
        report: Report | None = None,
    ) -> ArchiveStatistics:
        """Return statistics of the steps of those dates, both included; what was found of a date is kept.

        `policy` and `source` choose steps, `by` is the length of the periods, and `report` is told how many
        dates are done of how many. Raise UsageError for a range that ends before it begins.
        """
        from lake.statistics.statistics import archive_statistics

        return archive_statistics(self, since, until, by=by, policy=policy, source=source, report=report)


def _as_landed(steps: Steps) -> pa.Table:
    import pyarrow.compute as pc

    schema = steps_schema(steps.spec)
    rows = steps.table
    now = datetime.now(UTC)
    times = pc.coalesce(rows["event_time"], pa.scalar(now, pa.timestamp("us", "UTC")))
    made = {
        "event_time": times,
        "ingested_at": pa.repeat(pa.scalar(now, schema.field("ingested_at").type), rows.num_rows),
        "date": pc.strftime(times, format="%Y-%m-%d"),
    }
    columns = []
    for field in schema:
        if field.name in made:
            columns.append(made[field.name])
        elif field.name in rows.column_names:
            columns.append(rows[field.name])
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.table(columns, schema=schema)
