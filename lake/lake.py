"""The lake: a folder of archives that describes itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lake.archive import Archive
from lake.files import check_folder, read_json, storage_errors, write_json_once
from lake.snapshots import Snapshot, find_snapshot, list_snapshots
from lake.sql import QueryResult, run_query
from schemas.archive_spec import ArchiveSpec, check_name
from schemas.environments import spec_from_environment
from schemas.errors import NotFoundError, StorageError, UsageError

_LAKE_FILE = "lake.json"
_FORMAT = 1


class Lake:
    """Open a lake by its folder. Nothing is made before the first archive is created."""

    def __init__(self, folder: str | Path) -> None:
        if "://" in str(folder):
            raise UsageError(f"The lake {str(folder)!r} is not a folder.", hint="Give a local folder.")
        self._folder = Path(folder)

    @property
    def folder(self) -> Path:
        """The lake's folder."""
        return self._folder

    @property
    def stream_folder(self) -> Path:
        """Where the embedded stream of this lake is kept."""
        return self._folder / ".stream"

    @property
    def id(self) -> str:
        """The lake's own id, which names the consumer groups of its workers."""
        try:
            content = read_json(self._folder / _LAKE_FILE)
        except FileNotFoundError as exc:
            raise NotFoundError(
                "lake",
                str(self._folder),
                hint="Create an archive in it first: replaylake archive create NAME --env CartPole-v1",
            ) from exc
        if content.get("format") != _FORMAT:
            raise StorageError(
                f"The lake {self._folder} has format {content.get('format')!r}, and {_FORMAT} is expected.",
                hint="Use the version of replaylake that made it.",
            )
        return str(content["id"])

    def create(
        self,
        name: str,
        *,
        env: str | Any | None = None,
        spec: ArchiveSpec | None = None,
        suite: Mapping[str, Any] | None = None,
    ) -> Archive:
        """Create an archive for an environment (an id or an object), or by a spec of one's own.

        Raise AlreadyExistsError where the name is taken; an archive is made whole or not at all.
        """
        check_name(name)
        if (env is None) == (spec is None):
            raise UsageError(
                "An archive is created by an environment or by a spec.", hint="Give one of the two."
            )
        if spec is None:
            spec = spec_from_environment(name, env)
        elif spec.name != name:
            raise UsageError(
                f"The spec is named {spec.name!r}, and the archive {name!r}.", hint="Give both one name."
            )
        return Archive.create(self._folder, spec, suite, self._prepare())

    def archive(self, name: str) -> Archive:
        """Open an archive; raise NotFoundError with the names that are there."""
        check_name(name)
        lake_id, names = self.id, self.names()
        if name not in names:
            raise NotFoundError("archive", name, known=names)
        return Archive.open(self._folder, name, lake_id)

    def archives(self) -> list[Archive]:
        """Open every archive, by name."""
        lake_id = self.id
        return [Archive.open(self._folder, name, lake_id) for name in self.names()]

    def names(self) -> list[str]:
        """Name the archives that are there; none where the lake is not there yet."""
        if not self._folder.is_dir():
            return []
        with storage_errors(f"list the lake {self._folder}"):
            return sorted(entry.name for entry in self._folder.iterdir() if _holds_archive(entry))

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> QueryResult:
        """Run one SELECT over the views NAME.steps, NAME.transitions, NAME.episodes and NAME.quarantine.

        NAME.episodes is what audits found of each. NAME.quarantine_all has the rows that replays have
        resolved, too, and says by which and how.
        Values belong in `parameters` (`?` or `$name`), never in the text. Nothing but the lake's own
        files can be read, and nothing written; what is not allowed raises QueryError.
        """
        return run_query(self.archives(), query, parameters)

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Find a snapshot by its id, in whichever archive it is."""
        return find_snapshot(self.archives(), snapshot_id)

    def snapshots(self) -> list[Snapshot]:
        """List the snapshots of every archive, oldest first."""
        return list_snapshots(self.archives())

    def _prepare(self) -> str:
        check_folder(self._folder)
        with storage_errors(f"create the lake {self._folder}"):
            self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / _LAKE_FILE).exists():
            write_json_once(self._folder / _LAKE_FILE, {"format": _FORMAT, "id": uuid.uuid4().hex})
        return self.id

    def __repr__(self) -> str:
        return f"Lake({str(self._folder)!r})"


def _holds_archive(entry: Path) -> bool:
    return not entry.name.startswith(".") and Archive.is_archive(entry)
