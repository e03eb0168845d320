"""Lakes and archives are made whole or not at all."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lake import Lake
from lake.commits import CommitLog
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, NotFoundError, SpecError, StepsError, StorageError, UsageError
from schemas.spaces import Box, Dict, Discrete, Space
from schemas.step import steps_schema
from schemas.steps import Steps
from tests.lake.archives import SPEC, SUITE, append, make, numbers, row


def test_a_lake_describes_itself(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    suite = {"name": "mine", "expectations": []}
    other = lake.create("cartpole", env="CartPole-v1", suite=suite)
    again = Lake(str(tmp_path / "lake"))

    assert again.names() == ["cartpole", "demo"]
    assert [held.name for held in again.archives()] == ["cartpole", "demo"]
    assert again.id == lake.id == archive.lake_id
    assert again.archive("demo").spec == SPEC
    assert again.archive("cartpole").spec == other.spec
    assert again.archive("cartpole").suite == suite
    assert again.archive("demo").suite is None
    assert {path.name for path in archive.folder.iterdir()} == {"archive.json", "steps", "quarantine"}


def test_a_changed_suite_is_the_one_that_is_read(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    archive.change_suite({"name": "new", "expectations": []})
    assert lake.archive("demo").suite == {"name": "new", "expectations": []}


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert lake.names() == []
    with pytest.raises(NotFoundError, match=r"There is no lake .*Create an archive in it first"):
        lake.archives()
    with pytest.raises(NotFoundError, match="no lake"):
        lake.sql("select 1")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_archive_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    lake, _ = make(tmp_path)
    with pytest.raises(NotFoundError, match=r"no archive 'other'\. There are: demo\."):
        lake.archive("other")


@pytest.mark.parametrize(
    "name",
    ["../x", "Demo", "", "1a", "a-b", "a b", "a.b", "_a", "é", "a\n", "a" * 64, "main", "memory", "temp"],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(SpecError, match=r"archive name .*(Use lower-case|Choose another)"):
        lake.create(name, env="CartPole-v1")
    with pytest.raises(SpecError):
        lake.archive(name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_left_as_it_was(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    with pytest.raises(AlreadyExistsError, match="'demo' exists already"):
        lake.create("demo", env="CartPole-v1")
    assert numbers(lake, "select step from demo.steps") == [0]


def test_one_of_environment_and_spec_is_asked_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(UsageError, match="Give one of the two"):
        lake.create("demo")
    with pytest.raises(UsageError, match="Give one of the two"):
        lake.create("demo", env="CartPole-v1", spec=SPEC)
    with pytest.raises(UsageError, match="'demo', and the archive 'other'"):
        lake.create("other", spec=SPEC)


def test_what_is_there_and_nobody_claims_is_taken_where_it_fits(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    spec = ArchiveSpec(name="other", observation=Discrete(n=2), action=Discrete(n=2))
    left = archive.lake_store.below("other")
    CommitLog.create(left.below("steps"), steps_schema(spec), ["date"])
    left.write("suite.json", json.dumps(SUITE).encode())

    with pytest.raises(AlreadyExistsError, match=r"suite .*exists already\. .*remove what is left there"):
        lake.create("other", spec=spec, suite={"name": "yours", "expectations": []})
    with pytest.raises(AlreadyExistsError, match=r"table .*exists already.*remove what an earlier try"):
        lake.create("other", spec=spec.model_copy(update={"observation": Box(shape=(2,))}), suite=SUITE)
    assert lake.names() == ["demo"]
    assert lake.create("other", spec=spec, suite=SUITE).name == "other"


@pytest.mark.parametrize("below", ["file", "file/deeper", "file/deeper/still"])
def test_a_folder_that_cannot_be_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("no folder")
    lake = Lake(tmp_path / below)
    with pytest.raises(StorageError, match=r"Cannot write .*lake.json: .*Check that the folder") as caught:
        lake.create("demo", spec=SPEC)
    assert str(tmp_path / below) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(NotFoundError, match="no lake"):
        lake.archives()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        Lake(tmp_path / "lake").create("demo", spec=SPEC)


@pytest.mark.parametrize("name", ["p%20c", "back\\slash", "new\nline"])
def test_a_folder_that_delta_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="A lake cannot be in"):
        Lake(tmp_path / name).create("demo", spec=SPEC)
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_no_folder() -> None:
    with pytest.raises(UsageError, match="'ftp://host/lake' is neither a folder nor on S3"):
        Lake("ftp://host/lake")


def test_what_does_not_read_is_named(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    (archive.folder / "archive.json").write_text("{")
    with pytest.raises(StorageError, match=r"archive\.json does not read"):
        lake.archive("demo")
    (lake.folder / "lake.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StorageError, match="has format 99, and 1 is expected"):
        _ = lake.id


def test_a_renamed_folder_is_not_another_archive(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    archive.folder.rename(lake.folder / "other")
    with pytest.raises(StorageError, match="holds the archive 'demo'"):
        lake.archive("other")


def test_threads_that_make_one_lake_agree_on_its_id(tmp_path: Path) -> None:
    def create(number: int) -> str:
        name = f"a{number}"
        spec = ArchiveSpec(name=name, observation=Discrete(n=2), action=Discrete(n=2))
        return Lake(tmp_path / "lake").create(name, spec=spec).lake_id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(create, range(8)))

    assert ids == {Lake(tmp_path / "lake").id}
    assert len(Lake(tmp_path / "lake").names()) == 8


def test_steps_of_an_equal_spec_in_another_order_land(tmp_path: Path) -> None:
    parts: dict[str, Space] = {"a": Discrete(n=9), "b": Box(shape=(1,))}
    turned = dict(reversed(parts.items()))
    spec = ArchiveSpec(name="demo", observation=Dict(spaces=parts), action=Discrete(n=2), extras=parts)
    other = ArchiveSpec(name="demo", observation=Dict(spaces=turned), action=Discrete(n=2), extras=turned)
    assert (spec, spec.hash) == (other, other.hash)

    lake, archive = make(tmp_path, spec)
    archive.append(Steps.from_rows([row(0, observation={"b": [2.0], "a": 1}, a=3, b=[4.0])], other))
    found = lake.sql("select observation.a, observation.b, a, b from demo.steps").rows()
    assert found == [(1, [2.0], 3, [4.0])]


def test_steps_of_another_spec_do_not_land(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    wider = ArchiveSpec(name="demo", observation=Box(shape=(2,)), action=Discrete(n=2))
    with pytest.raises(StepsError, match="has not the shape"):
        archive.append(Steps.from_rows([row(0, observation=[1.0, 2.0])], wider))
    with pytest.raises(StepsError, match="does not fit"):
        other = ArchiveSpec(name="demo", observation=Discrete(n=2), action=Discrete(n=2))
        archive.append(Steps.from_rows([row(0, observation=1)], other))
    assert archive.append(Steps.from_rows([row(0)], SPEC.model_copy(update={"name": "twin"}))) == 1
    assert numbers(lake, "select count(*) from demo.steps") == [1]
