"""What an archive is made of: its spec, its suite and its tables. The door to it is `lake.archive`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lake.commits import CommitLog
from lake.files import read_json
from lake.spec_log import has_newer_spec
from lake.stores import Store
from lake.stores.local import LocalStore
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.protocols import TableName

SUITE_FILE = "suite.json"


class ArchiveTables:
    """Give access to what one archive is made of."""

    def __init__(self, lake_store: Store, spec: ArchiveSpec, lake_id: str, spec_version: int = 1) -> None:
        self._lake_store = lake_store
        self._store = lake_store.below(spec.name)
        self._spec = spec
        self._lake_id = lake_id
        self._spec_version = spec_version

    @property
    def name(self) -> str:
        """The archive's name."""
        return self._spec.name

    @property
    def store(self) -> Store:
        """Where the archive is kept."""
        return self._store

    @property
    def lake_store(self) -> Store:
        """Where the lake is kept that the archive is in."""
        return self._lake_store

    @property
    def folder(self) -> Path:
        """The folder that holds the archive's tables; raise UsageError where it is not on a disk."""
        if isinstance(self._store, LocalStore):
            return self._store.folder
        raise UsageError(f"The archive {self._store.url} is not in a folder.", hint="Ask for its store.")

    @property
    def spec(self) -> ArchiveSpec:
        """What the archive held when it was opened."""
        return self._spec

    @property
    def spec_version(self) -> int:
        """How often the spec was written, up to that one."""
        return self._spec_version

    @property
    def is_outdated(self) -> bool:
        """Whether somebody has changed the spec since the archive was opened."""
        return has_newer_spec(self._store, self._spec_version)

    @property
    def lake_id(self) -> str:
        """The id of the lake that the archive is in."""
        return self._lake_id

    @property
    def suite(self) -> dict[str, Any] | None:
        """The archive's suite as stored, or None where the spec's own rules are all."""
        try:
            return read_json(self._store, SUITE_FILE)
        except FileNotFoundError:
            return None

    @property
    def is_audited(self) -> bool:
        """Whether the table of episodes is there, which the first audit makes."""
        return CommitLog.is_table(self._store.below("episodes"))

    def table(self, name: TableName | Literal["episodes"]) -> CommitLog:
        """Open one of the tables at its newest version."""
        return CommitLog(self._store.below(name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._store.url!r})"
