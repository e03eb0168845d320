"""Let an archive's spec grow: by columns that old rows lack, and in what no row hangs on."""

from __future__ import annotations

from lake.spec_log import newest_spec, write_spec
from lake.tables import ArchiveTables
from schemas.archive_spec import ArchiveSpec
from schemas.errors import CommitConflictError, SpecError
from schemas.step import quarantine_schema, steps_schema

_FIXED = ("name", "observation", "action", "environment", "shared_reward", "propensity", "partition_by")


def evolve(archive: ArchiveTables, spec: ArchiveSpec) -> int:
    """Put a spec in the place of the archive's, and add its new extras to the tables; return its version.

    Raise SpecError for a change that is not an addition, and CommitConflictError where another process
    changed the spec since the archive was opened: of two at once one is refused, and changes nothing.
    """
    newest, version = newest_spec(archive.store, archive.name)
    if newest != spec:
        check_is_addition(archive.spec, spec)
        version = archive.spec_version + 1
        if not write_spec(archive.store, spec, version):
            raise CommitConflictError(
                f"The spec of {archive.name!r} was changed by somebody else meanwhile.",
                hint="Open the archive again, look at its spec, and repeat.",
            )
    settle(archive, spec)
    return version


def settle(archive: ArchiveTables, spec: ArchiveSpec) -> None:
    """Add to the tables what the spec has and they lack, as where who changed the spec died halfway."""
    if spec.extras:
        archive.table("steps").add_columns(list(steps_schema(spec)))
        archive.table("quarantine").add_columns(list(quarantine_schema(spec)))


def check_is_addition(old: ArchiveSpec, new: ArchiveSpec) -> None:
    """Raise SpecError for a change that rows which are there would not follow."""
    for name in _FIXED:
        if getattr(old, name) != getattr(new, name):
            raise SpecError(
                f"The {name} of {old.name!r} cannot change: rows that are there follow it.",
                hint="Create another archive, and publish the rows to it.",
            )
    for name, space in old.extras.items():
        if new.extras.get(name) != space:
            raise SpecError(
                f"The extra column {name!r} of {old.name!r} cannot change or go.",
                hint="Add a column of another name.",
            )
