"""The making of an archive: of several who make one name, one wins, and whoever dies is in nobody's way.

First a claim is written, once: all that the archive is to be. Whoever has written it, or finds it, makes
what is not there yet, and last the spec, which makes the folder an archive and says whose it is. So what a
maker leaves who dies at any line is ended by the next, whatever archive he came to make.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lake.commits import CommitLog
from lake.files import read_json, write_json_once
from lake.spec_log import is_archive, maker_of, write_first_spec
from lake.stores import Store
from lake.tables import SUITE_FILE
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, ReplayLakeError
from schemas.step import quarantine_schema, steps_schema

_CLAIM = "claim.json"


@dataclass(frozen=True, slots=True)
class _Claim:
    maker: str
    spec: ArchiveSpec
    suite: Mapping[str, Any] | None


def make_archive(lake: Store, spec: ArchiveSpec, suite: Mapping[str, Any] | None) -> ArchiveSpec:
    """Make an archive in a lake, and return its spec; raise AlreadyExistsError where the name is taken.

    It is also where somebody else makes another one of this name just now, or died doing so: that one is
    there, and whole, when this raises.
    """
    store = lake.below(spec.name)
    taken = AlreadyExistsError("archive", spec.name, hint="Choose another name.")
    if is_archive(lake, spec.name):
        raise taken
    mine = _Claim(uuid.uuid4().hex, spec, None if suite is None else json.loads(json.dumps(suite)))
    claim = _claimed(store, mine)
    if claim is None and not is_archive(lake, spec.name):  # who had claimed it has failed
        return make_archive(lake, spec, suite)
    if claim is not None and not is_archive(lake, spec.name):
        try:
            _make(store, claim)
        except ReplayLakeError as exc:
            is_strange = isinstance(exc, AlreadyExistsError)
            if not (is_strange and is_archive(lake, spec.name)):  # it may be there by now, and have rows
                if claim.maker == mine.maker and (is_strange or not CommitLog.is_table(store.below("steps"))):
                    store.remove(_CLAIM)  # nothing was made by it: the next need not fail likewise
                raise
    store.remove(_CLAIM)
    if maker_of(store) != mine.maker:
        raise taken
    return spec if claim is None else claim.spec


def is_begun(lake: Store, name: str) -> bool:
    """Say whether somebody has begun to make an archive."""
    return lake.exists(f"{name}/{_CLAIM}")


def _claimed(store: Store, mine: _Claim) -> _Claim | None:
    """Claim a name, and return the claim that counts; None where another one has gone meanwhile.

    Of two that want the same, each may make it: the last step tells them apart.
    """
    content = {"maker": mine.maker, "spec": mine.spec.to_json(), "suite": mine.suite}
    if write_json_once(store, _CLAIM, content):
        return mine
    try:
        held = read_json(store, _CLAIM)
    except FileNotFoundError:
        return None
    claim = _Claim(held["maker"], ArchiveSpec.from_json(held["spec"]), held["suite"])
    if (claim.spec, claim.suite) == (mine.spec, mine.suite):
        return _Claim(mine.maker, claim.spec, claim.suite)
    return claim


def _make(store: Store, claim: _Claim) -> None:
    """Make what is not there yet of a claimed archive."""
    partition_by = ["date", *claim.spec.partition_by]
    CommitLog.create(store.below("steps"), steps_schema(claim.spec), partition_by)
    CommitLog.create(store.below("quarantine"), quarantine_schema(claim.spec), ["date"])
    if claim.suite is not None and not write_json_once(store, SUITE_FILE, claim.suite):
        if read_json(store, SUITE_FILE) != claim.suite:
            raise AlreadyExistsError(
                "suite", store.uri(SUITE_FILE), hint="Choose another name, or remove what is left there."
            )
    write_first_spec(store, claim.spec, claim.maker)
