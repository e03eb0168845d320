"""What of the same range is in quarantine."""

from __future__ import annotations

from datetime import date

from lake.quarantine import QuarantineChoice, quarantine_count, quarantine_reasons
from lake.statistics.collecting import RowChoice
from lake.statistics.results import Refused
from lake.tables import ArchiveTables
from lake.views import literal


def count_refused(
    archive: ArchiveTables, rows: RowChoice, since: date | None, until: date | None
) -> tuple[int, tuple[Refused, ...]]:
    """Count the rows that no replay has resolved, and those of each reason."""
    if not archive.table("quarantine").file_names():
        return 0, ()
    source, policy = rows.source, rows.policy
    choice = QuarantineChoice(
        sources=() if source is None else (source,),
        since=since,
        until=until,
        where=None if policy is None else f"policy_version = {literal(policy)}",
    )
    count = quarantine_count(archive, choice)
    found = quarantine_reasons(archive, choice) if count else []
    return count, tuple(Refused(one.reason, one.rows) for one in found)
