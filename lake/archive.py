"""An archive: the spec, the suite and the two tables of one kind of experience."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lake.commits import CommitLog
from lake.files import read_json, storage_errors, write_json
from lake.snapshots import Snapshot, create_snapshot
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, NotFoundError, StorageError
from schemas.protocols import TableName
from schemas.step import quarantine_schema, steps_schema, wire_schema
from schemas.steps import Steps

_SPEC_FILE = "archive.json"
_SUITE_FILE = "suite.json"


class Archive:
    """Give access to one archive of a lake; made by `Lake.create` and `Lake.archive`."""

    def __init__(self, folder: Path, spec: ArchiveSpec, lake_id: str) -> None:
        self._folder = folder
        self._spec = spec
        self._lake_id = lake_id

    @classmethod
    def create(
        cls, lake_folder: Path, spec: ArchiveSpec, suite: Mapping[str, Any] | None, lake_id: str
    ) -> Archive:
        """Make an archive, whole or not at all: it is built aside and moved into its place."""
        folder = lake_folder / spec.name
        if folder.exists():
            raise AlreadyExistsError("archive", spec.name, hint="Choose another name.")
        aside = lake_folder / f".creating-{uuid.uuid4().hex}"
        partition_by = ["date", *spec.partition_by]
        try:
            CommitLog.create(aside / "steps", steps_schema(spec), partition_by)
            CommitLog.create(aside / "quarantine", quarantine_schema(spec), ["date"])
            write_json(aside / _SPEC_FILE, spec.to_json())
            if suite is not None:
                write_json(aside / _SUITE_FILE, suite)
            with storage_errors(f"create {folder}"):
                try:
                    aside.rename(folder)
                except OSError as exc:
                    if folder.exists():
                        raise AlreadyExistsError("archive", spec.name, hint="Choose another name.") from exc
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return cls(folder, spec, lake_id)

    @classmethod
    def open(cls, lake_folder: Path, name: str, lake_id: str) -> Archive:
        """Open an archive that is there; raise NotFoundError where it is not."""
        folder = lake_folder / name
        try:
            spec = ArchiveSpec.from_json(read_json(folder / _SPEC_FILE))
        except FileNotFoundError as exc:
            raise NotFoundError("archive", name) from exc
        if spec.name != name:
            raise StorageError(
                f"The folder {folder} holds the archive {spec.name!r}.",
                hint=f"Name the folder {spec.name} again: an archive's name is not changed by its folder's.",
            )
        return cls(folder, spec, lake_id)

    @staticmethod
    def is_archive(folder: Path) -> bool:
        """Say whether a folder of a lake is an archive."""
        return (folder / _SPEC_FILE).is_file()

    @property
    def name(self) -> str:
        """The archive's name."""
        return self._spec.name

    @property
    def folder(self) -> Path:
        """The folder that holds the archive's tables."""
        return self._folder

    @property
    def spec(self) -> ArchiveSpec:
        """What the archive holds."""
        return self._spec

    @property
    def lake_id(self) -> str:
        """The id of the lake that the archive is in."""
        return self._lake_id

    @property
    def suite(self) -> dict[str, Any] | None:
        """The archive's suite as stored, or None where the spec's own rules are all."""
        try:
            return read_json(self._folder / _SUITE_FILE)
        except FileNotFoundError:
            return None

    def change_suite(self, suite: Mapping[str, Any]) -> None:
        """Judge rows that are ingested from now on by another suite; what has landed stays."""
        write_json(self._folder / _SUITE_FILE, suite)

    @property
    def is_audited(self) -> bool:
        """Whether the table of episodes is there, which the first audit makes."""
        return CommitLog.is_table(self._folder / "episodes")

    def table(self, name: TableName | Literal["episodes"]) -> CommitLog:
        """Open one of the tables at its newest version."""
        return CommitLog(self._folder / name)

    def append(self, steps: Steps) -> int:
        """Land steps that need no gate, such as a converted dataset; return the new version.

        They carry no stream position: appending them twice lands them twice. Raise StepsError for steps
        of another spec that do not follow this archive's.
        """
        if steps.spec != self._spec or not steps.table.schema.equals(wire_schema(self._spec)):
            steps = Steps(
                steps.table, self._spec
            )  # specs that are equal may name their fields in other orders
        return self.table("steps").append(_as_landed(steps), {}, {"replaylake.origin": "append"})

    def snapshot(self, where: str | None = None) -> Snapshot:
        """Pin the accepted steps of now, or those that an SQL condition chooses, under an immutable id."""
        return create_snapshot(self, where)

    def __repr__(self) -> str:
        return f"Archive({self.name!r}, {str(self._folder)!r})"


def _as_landed(steps: Steps) -> pa.Table:
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
