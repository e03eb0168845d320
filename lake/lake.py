"""The lake: a place for archives that describes itself."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.archive import Archive
from lake.creation import is_begun
from lake.files import read_json, write_json_once
from lake.spec_log import is_archive
from lake.stores import Store, open_store
from lake.stores.local import LocalStore
from schemas.archive_spec import ArchiveSpec, check_name
from schemas.environments import spec_from_environment
from schemas.errors import NotFoundError, StorageError, UsageError

if TYPE_CHECKING:
    from lake.snapshots import Snapshot, SnapshotNames
    from lake.sql import QueryLimits, QueryNames, QueryResult

_LAKE_FILE = "lake.json"
_FORMAT = 1


class Lake:
    """Open a lake by its folder, or by `s3://bucket/prefix` with the options that reach it.

    Options are `endpoint`, `region`, `access_key_id`, `secret_access_key` and so on; what is not given comes
    from the AWS_* variables. Nothing is made before the first archive is created.
    """

    def __init__(self, location: str | Path | Store, options: Mapping[str, str] | None = None) -> None:
        self._store = open_store(location, options) if isinstance(location, str | Path) else location

    @classmethod
    def of(cls, archive: Archive) -> Lake:
        """Return the lake that an archive is in."""
        return cls(archive.lake_store)

    @property
    def url(self) -> str:
        """What people call the lake: its folder, or `s3://bucket/prefix`."""
        return self._store.url

    @property
    def folder(self) -> Path:
        """The lake's folder; raise UsageError where it is not on a disk."""
        if isinstance(self._store, LocalStore):
            return self._store.folder
        raise UsageError(f"The lake {self.url} is not in a folder.", hint="Ask for its url.")

    @property
    def stream_folder(self) -> Path | None:
        """Where the embedded stream of this lake is kept; a lake on S3 has none."""
        return self.folder / ".stream" if isinstance(self._store, LocalStore) else None

    @property
    def state_folder(self) -> Path:
        """Where this machine keeps how far it got with publishing to the lake: on its own disk."""
        return self._on_disk("XDG_STATE_HOME", ".local/state") or self.folder

    @property
    def cache_folder(self) -> Path:
        """Where this machine keeps what it can make again from the lake."""
        return self._on_disk("XDG_CACHE_HOME", ".cache") or self.folder / ".cache"

    @property
    def id(self) -> str:
        """The lake's own id, which names the consumer groups of its workers."""
        try:
            content = read_json(self._store, _LAKE_FILE)
        except FileNotFoundError as exc:
            raise NotFoundError(
                "lake",
                self.url,
                hint="Create an archive in it first: replaylake archive create NAME --env CartPole-v1",
            ) from exc
        if content.get("format") != _FORMAT:
            raise StorageError(
                f"The lake {self.url} has format {content.get('format')!r}, and {_FORMAT} is expected.",
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
        return Archive.create(self._store, spec, suite, self._prepare())

    def archive(self, name: str) -> Archive:
        """Open an archive; raise NotFoundError with the names that are there."""
        check_name(name)
        lake_id, names = self.id, self.names()
        if name not in names:
            begun = is_begun(self._store, name)
            hint = "Somebody has begun to make it: create it again, which ends that." if begun else ""
            raise NotFoundError("archive", name, known=names, hint=hint)
        return Archive.open(self._store, name, lake_id)

    def archives(self) -> list[Archive]:
        """Open every archive, by name."""
        lake_id = self.id
        return [Archive.open(self._store, name, lake_id) for name in self.names()]

    def names(self) -> list[str]:
        """Name the archives that are there; none where the lake is not there yet."""
        folders = [name for name in self._store.folders() if not name.startswith(".")]
        return [name for name in folders if is_archive(self._store, name)]

    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        limits: QueryLimits | None = None,
    ) -> QueryResult:
        """Run one SELECT over the views NAME.steps, NAME.transitions, NAME.episodes and NAME.quarantine.

        NAME.episodes is what audits found of each. NAME.quarantine_all has the rows that replays have
        resolved, too, and says by which and how.
        Values belong in `parameters` (`?` or `$name`), never in the text. Nothing but the lake's own
        files can be read, and nothing written; what is not allowed raises QueryError.
        """
        from lake.sql import run_query

        return run_query(self.archives(), query, parameters, limits)

    def query_names(self) -> QueryNames:
        """Name what a query may name; nothing where the lake is not there yet."""
        from lake.sql import query_names

        return query_names(self.archives() if self.names() else [])

    def snapshot(self, id_or_name: str) -> Snapshot:
        """Find a snapshot by its id or its name, in whichever archive it is."""
        from lake.snapshots import find_snapshot

        return find_snapshot(self.archives(), id_or_name)

    def snapshots(self) -> list[Snapshot]:
        """List the snapshots of every archive, oldest first."""
        from lake.snapshots import list_snapshots

        return list_snapshots(self.archives())

    @property
    def snapshot_names(self) -> SnapshotNames:
        """The names of snapshots, to give them and take them away."""
        from lake.snapshots import SnapshotNames

        return SnapshotNames(self._store)

    def _prepare(self) -> str:
        if not self._store.exists(_LAKE_FILE):
            write_json_once(self._store, _LAKE_FILE, {"format": _FORMAT, "id": uuid.uuid4().hex})
        return self.id

    def _on_disk(self, variable: str, usual: str) -> Path | None:
        """Return this machine's folder for a lake that is not on a disk."""
        if isinstance(self._store, LocalStore):
            return None
        base = os.environ.get(variable) or Path.home() / usual
        return Path(base) / "replaylake" / self.id

    def __repr__(self) -> str:
        return f"Lake({self.url!r})"
