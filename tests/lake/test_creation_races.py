"""Of several who make one name one wins whole, and who dies at it is in nobody's way."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lake import Lake
from lake.commits import CommitLog
from lake.maintenance.check import check_archive
from lake.stores.local import LocalStore
from lake.stores.s3 import S3Store
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, NotFoundError
from schemas.spaces import Box
from tests.lake.archives import SPEC, SUITE, numbers
from tests.lake.kills import Killed
from tests.lake.places import PLACES, lake_in

_CREATE = """
import sys
from lake import Lake
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError
from schemas.spaces import Discrete
lake = Lake(sys.argv[1])
sys.stdin.readline()
try:
    spec = ArchiveSpec(name="demo", observation=Discrete(n=2), action=Discrete(n=2))
    print("made", lake.create("demo", spec=spec).lake_id)
except AlreadyExistsError:
    print("taken", lake.id)
"""
OTHER = SPEC.model_copy(update={"observation": Box(shape=(2,))})
STRICTER = SPEC.model_copy(update={"reward_range": (0.0, 1.0)})  # whose tables are the same
CHANGES = 7  # the lake's id, the claim, two tables, the suite, the spec; and the claim goes


@contextmanager
def before_change(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Do something before a change of a lake, the first of which has the number 0."""
    count = itertools.count()

    def guarded(owner: type, name: str) -> Any:
        method = getattr(owner, name)

        def changed(*args: Any, **kwargs: Any) -> Any:
            if next(count) == number:
                action()
            return method(*args, **kwargs)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CommitLog, "create", guarded(CommitLog, "create"))
        for owner in (LocalStore, S3Store):
            for name in ("write_once", "remove"):
                patch.setattr(owner, name, guarded(owner, name))
        yield
    assert next(count) > number


def killed() -> None:
    raise Killed


def lake_below(lake: Lake, number: int) -> Lake:
    """Return an empty lake of its own in the place of one that is empty."""
    name = f"a{number}"
    return Lake(lake.create(name, spec=SPEC.model_copy(update={"name": name})).store.below("lake"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spec", [SPEC, OTHER, STRICTER], ids=["same", "other", "stricter"])
def test_a_creation_that_died_at_any_change_is_ended_by_the_next(
    place: str, spec: ArchiveSpec, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    whole = lake_in(place, request, tmp_path)
    for number in range(CHANGES):
        lake = lake_below(whole, number)
        with before_change(number, killed), pytest.raises(Killed):
            lake.create("demo", spec=SPEC, suite=SUITE)
        is_made, is_claimed = number == CHANGES - 1, number > 1
        assert lake.names() == ["demo"] * is_made, number
        if is_claimed and not is_made:
            with pytest.raises(NotFoundError, match="Somebody has begun to make it: create it again"):
                lake.archive("demo")
        if is_made or (is_claimed and spec is not SPEC):
            with pytest.raises(
                AlreadyExistsError, match=r"The archive 'demo' exists already\. Choose another"
            ):
                lake.create("demo", spec=spec, suite=SUITE)
        else:
            assert lake.create("demo", spec=spec, suite=SUITE).spec == spec
        archive = lake.archive("demo")
        assert (archive.spec, archive.suite) == (SPEC if is_claimed else spec, SUITE), number
        assert check_archive(archive).is_sound


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spec", [SPEC, OTHER, STRICTER], ids=["same", "other", "stricter"])
def test_of_two_that_make_one_name_one_wins_whole(
    place: str, spec: ArchiveSpec, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The second comes before any change of the first, and does all that it can."""
    whole = lake_in(place, request, tmp_path)
    suites = SUITE, SUITE if spec is SPEC else {"name": "other", "expectations": []}
    for number in range(CHANGES):
        lake, won = lake_below(whole, number), list[int]()

        def make_one(which: int, lake: Lake = lake, won: list[int] = won) -> None:
            try:
                lake.create("demo", spec=(SPEC, spec)[which], suite=suites[which])
            except AlreadyExistsError as exc:
                assert exc.kind == "archive"
            else:
                won.append(which)
            assert lake.names() == ["demo"]  # for who has lost, too

        with before_change(number, partial(make_one, 1)):
            make_one(0)
        (winner,) = won
        archive = lake.archive("demo")
        assert (archive.spec, archive.suite) == ((SPEC, spec)[winner], suites[winner]), number
        assert check_archive(archive).is_sound
        assert not archive.store.exists("claim.json")


def test_who_makes_one_and_does_not_hear_of_it_has_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_once = LocalStore.write_once

    def unheard(self: LocalStore, name: str, data: bytes) -> bool:
        write_once(self, name, data)
        return False

    monkeypatch.setattr(LocalStore, "write_once", unheard)
    lake = Lake(tmp_path / "lake")
    assert lake.create("demo", spec=SPEC, suite=SUITE).suite == SUITE
    with pytest.raises(AlreadyExistsError):
        lake.create("demo", spec=SPEC, suite=SUITE)


def test_who_finds_a_claim_that_is_given_up_just_then_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's disk was full, and he takes the claim back between two looks at it."""
    write_once, lake = LocalStore.write_once, Lake(tmp_path / "lake")
    names = list[str]()

    def meanwhile(self: LocalStore, name: str, data: bytes) -> bool:
        names.append(name)
        is_held = name == "claim.json" and names.count(name) == 1
        return False if is_held else write_once(self, name, data)

    monkeypatch.setattr(LocalStore, "write_once", meanwhile)
    assert lake.create("demo", spec=SPEC, suite=SUITE).suite == SUITE
    archive = lake.archive("demo")
    assert check_archive(archive).is_sound and not archive.store.exists("claim.json")


def test_of_processes_that_create_one_name_one_makes_it(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _CREATE, str(tmp_path / "lake")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in started]

    assert sorted(words[0] for words in said) == ["made", "taken", "taken"]
    assert len({words[1] for words in said}) == 1
    assert sorted(path.name for path in (tmp_path / "lake").iterdir()) == ["demo", "lake.json"]
    assert numbers(Lake(tmp_path / "lake"), "select count(*) from demo.steps") == [0]
