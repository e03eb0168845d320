"""Who hears what a worker does: metrics, progress, tests."""

from __future__ import annotations

from typing import Protocol

from ingest.worker.report import IngestReport


class WorkerObserver(Protocol):
    """Hear what a worker does, in the thread that runs it."""

    def landed(self, archive: str, report: IngestReport, seconds: float) -> None:
        """Hear that a flush was committed, and how long that took."""

    def conflicted(self, archive: str) -> None:
        """Hear that another worker was faster, and that rows are read again."""

    def suite_changed(self, archive: str, suite_hash: str) -> None:
        """Hear that all that lands from now on is judged by another suite."""

    def suite_refused(self, archive: str, problem: str) -> None:
        """Hear that the archive has a suite that cannot be, and that the one before stays."""


class Nobody:
    """Hear nothing."""

    def landed(self, archive: str, report: IngestReport, seconds: float) -> None:
        """Hear nothing."""

    def conflicted(self, archive: str) -> None:
        """Hear nothing."""

    def suite_changed(self, archive: str, suite_hash: str) -> None:
        """Hear nothing."""

    def suite_refused(self, archive: str, problem: str) -> None:
        """Hear nothing."""
