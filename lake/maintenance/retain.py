"""Retention: steps of old days move to the cold place, and what is older still is deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lake.commits import CommitLog
from lake.maintenance.cold import ColdTable
from lake.maintenance.turns import next_turn, undisturbed
from lake.parquet import partition_values
from lake.tables import ArchiveTables
from schemas.errors import UsageError

_SAID = {"replaylake.origin": "retention"}
_FILES_AT_ONCE = 64  # are moved by one pair of commits
_BYTES_AT_ONCE = 512 << 20
SizedFile = tuple[str, int, int]  # name, rows, bytes


@dataclass(slots=True)
class RetentionReport:
    """Count what moved and what was deleted; in a dry run what would."""

    archive: str
    dry_run: bool = False
    hot_from: date | None = None  # rows of earlier days move
    kept_from: date | None = None  # rows of earlier days are deleted
    moved_rows: int = 0
    moved_files: int = 0
    deleted: dict[str, int] = field(default_factory=dict)  # rows, by table: steps, cold, quarantine, episodes

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "archive": self.archive,
            "dry_run": self.dry_run,
            "hot_from": None if self.hot_from is None else self.hot_from.isoformat(),
            "kept_from": None if self.kept_from is None else self.kept_from.isoformat(),
            "moved_rows": self.moved_rows,
            "moved_files": self.moved_files,
            "deleted": dict(self.deleted),
        }


def retain(
    archive: ArchiveTables,
    *,
    today: date | None = None,
    dry_run: bool = False,
    on_progress: Callable[[RetentionReport], None] = lambda report: None,
) -> RetentionReport:
    """Move and delete what the archive's spec says is old by now, by the days of events (UTC).

    Run it again, or many at once, or kill it: no row is lost or seen twice. Files stay where they are stored
    for those who read older versions or snapshots, until a vacuum. Raise UsageError where the spec sets
    neither `hot_days` nor `retention_days`.
    """
    spec = archive.spec
    if spec.hot_days is None and spec.retention_days is None:
        raise UsageError(
            f"The spec of {archive.name!r} sets no retention.",
            hint="Give it hot_days, retention_days or both: see docs/retention.md.",
        )
    today = today or datetime.now(UTC).date()
    report = RetentionReport(archive.name, dry_run, _before(today, spec.hot_days), None)
    report.kept_from = _before(today, spec.retention_days)
    work = _Retention(archive, report, on_progress)
    if report.kept_from is not None:
        work.delete(report.kept_from)
    if report.hot_from is not None:
        work.move(report.hot_from)
    return report


def _before(today: date, days: int | None) -> date | None:
    return None if days is None else today - timedelta(days=days)


class _Retention:
    def __init__(
        self,
        archive: ArchiveTables,
        report: RetentionReport,
        on_progress: Callable[[RetentionReport], None],
    ) -> None:
        self._archive = archive
        self._report = report
        self._on_progress = on_progress

    def delete(self, day: date) -> None:
        """Delete the rows of days before one from all tables."""
        self._repeat("cold", lambda: self._delete_cold(day))
        names = ("steps", "quarantine", *(("episodes",) if self._archive.is_audited else ()))
        for name in names:
            self._repeat(name, lambda name=name: self._delete(name, day))  # type: ignore[misc]

    def _delete_cold(self, day: date) -> int:
        tables = ColdTable(self._archive, changes=not self._report.dry_run)
        if tables.cold is None:
            return 0
        files = _older(tables.cold, day)
        if files and not self._report.dry_run:
            tables.replace([name for name, _, _ in files], [])
        return _rows(files)

    def _delete(self, name: Any, day: date) -> int:
        table = self._archive.table(name)
        files = _older(table, day)
        if files and not self._report.dry_run:
            turn = next_turn(table, self._archive.name)
            table.rewrite([file for file, _, _ in files], [], turn, _SAID, loses_rows=True)
        return _rows(files)

    def move(self, day: date) -> None:
        """Move the rows of days before one to the cold table, some files at a time."""
        kept = self._report.kept_from
        if self._report.dry_run:
            # What is deleted in a real run would not be there to be moved.
            due = [
                file
                for file in _older(self._archive.table("steps"), day)
                if kept is None or _day(self._archive, file[0]) >= kept.isoformat()
            ]
            self._report.moved_rows, self._report.moved_files = _rows(due), len(due)
            return
        while self._repeat(None, lambda: self._move_some(day)):
            self._on_progress(self._report)

    def _move_some(self, day: date) -> int:
        tables = ColdTable(self._archive)
        piece = next(_pieces(_older(tables.hot, day)), [])
        if piece:
            tables.take([name for name, _, _ in piece])
            self._report.moved_files += len(piece)
            self._report.moved_rows += _rows(piece)
        return len(piece)

    def _repeat(self, table: str | None, action: Callable[[], int]) -> int:
        """Do it until nobody comes between, and count the deleted rows of a table."""
        hint = "What has moved or was deleted stays so. Let one of them do it, and repeat."
        count = undisturbed(self._archive.name, action, hint)
        if table is not None and count:
            self._report.deleted[table] = self._report.deleted.get(table, 0) + count
            self._on_progress(self._report)
        return count


def _older(table: CommitLog, day: date) -> list[SizedFile]:
    """Return the files of days before one, by partition."""
    limit = day.isoformat()
    partition_by = table.partition_by
    files = [
        file
        for file in table.file_sizes()
        if (partition_values(file[0], partition_by)["date"] or limit) < limit
    ]
    return sorted(files, key=lambda file: file[0].rpartition("/")[0])


def _day(archive: ArchiveTables, name: str) -> str:
    return partition_values(name, ("date", *archive.spec.partition_by))["date"] or ""


def _pieces(files: Sequence[SizedFile]) -> Iterator[list[SizedFile]]:
    """Cut a list of files into pieces to be moved at once; one of them at least."""
    piece: list[SizedFile] = []
    size = 0
    for file in files:
        if piece and (len(piece) >= _FILES_AT_ONCE or size + file[2] > _BYTES_AT_ONCE):
            yield piece
            piece, size = [], 0
        piece.append(file)
        size += file[2]
    if piece:
        yield piece


def _rows(files: Sequence[SizedFile]) -> int:
    return sum(rows for _, rows, _ in files)
