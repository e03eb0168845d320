"""Compaction: many small files become few large ones, sorted by key, in which each key is once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lake.maintenance.compaction_report import CompactionReport, TableCompaction
from lake.maintenance.part_rewrite import CompactionOptions
from lake.maintenance.surplus import FIRST_LANDED, NEWEST_AUDIT
from lake.maintenance.table_compaction import Kind, TableCompactor
from lake.tables import ArchiveTables
from schemas.step import LINEAGE_FIELDS, ROW_ORDER

_STEPS = Kind("steps", ROW_ORDER, FIRST_LANDED)
_QUARANTINE = Kind("quarantine", tuple(field.name for field in LINEAGE_FIELDS))
_EPISODES = Kind(
    "episodes", ("source", "agent_id", "episode_id", "audited_version"), NEWEST_AUDIT, by_day=False
)


def compact_archive(
    archive: ArchiveTables,
    options: CompactionOptions | None = None,
    on_progress: Callable[[CompactionReport], None] = lambda report: None,
) -> CompactionReport:
    """Rewrite the files of an archive's tables where that gains anything, and say what was done.

    Steps are sorted by ROW_ORDER, and of those with one key the one that landed first stays: others that say
    the same go, those that say something else go to quarantine. Of episodes the newest audit's row stays.
    Writers go on meanwhile, and what they land is left for the next time. Kill it, or run two at once:
    nothing is lost, and what they leave behind is for the vacuum. The files that were rewritten stay stored
    until then.
    """
    options = options or CompactionOptions()
    report = CompactionReport(archive.name, options.dry_run)
    steps = replace(_STEPS, by_day=not options.all_days)
    for kind in (steps, _QUARANTINE, *([_EPISODES] if archive.is_audited else [])):
        counted = report.tables[kind.name] = TableCompaction()
        for done in TableCompactor(archive, kind, options).run():
            counted.add(done)
            on_progress(report)
    return report
