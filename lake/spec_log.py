"""The spec of an archive: a file for each version of it, of which the newest counts."""

from __future__ import annotations

import re

from lake.files import read_json, write_json_once
from lake.stores import Store
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError

_FIRST = "archive.json"  # what makes a folder an archive
_MAKER = "made_by"  # in it: a name that whoever made it had for that alone
_LATER = re.compile(r"archive\.(\d+)\.json")


def is_archive(lake: Store, folder: str) -> bool:
    """Say whether a folder of a lake is an archive."""
    return lake.exists(f"{folder}/{_FIRST}")


def newest_spec(store: Store, name: str) -> tuple[ArchiveSpec, int]:
    """Return the spec of the archive in a store and its version; raise NotFoundError where there is none."""
    matches = map(_LATER.fullmatch, store.names(suffix=".json"))
    version = max([1, *(int(match[1]) for match in matches if match)])
    try:
        content = read_json(store, _file(version))
    except FileNotFoundError as exc:
        raise NotFoundError("archive", name) from exc
    content.pop(_MAKER, None)
    return ArchiveSpec.from_json(content), version


def has_newer_spec(store: Store, version: int) -> bool:
    """Say whether the spec has a version after one."""
    return store.exists(_file(version + 1))


def write_first_spec(store: Store, spec: ArchiveSpec, maker: str) -> None:
    """Make a folder an archive, durably, unless it is one; `maker` says whose it is."""
    write_json_once(store, _FIRST, spec.to_json() | {_MAKER: maker})


def maker_of(store: Store) -> str | None:
    """Say whose the archive in a store is."""
    maker: str | None = read_json(store, _FIRST).get(_MAKER)
    return maker


def write_spec(store: Store, spec: ArchiveSpec, version: int) -> bool:
    """Write a later version of the spec durably; False where somebody else wrote another one there first."""
    if write_json_once(store, _file(version), spec.to_json()):
        return True
    # A store may do what it was asked and its answer get lost: then what is there is ours.
    return ArchiveSpec.from_json(read_json(store, _file(version))) == spec


def _file(version: int) -> str:
    return _FIRST if version == 1 else f"archive.{version}.json"
