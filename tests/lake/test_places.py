"""A lake does the same in a folder of a disk and on a real S3 server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ingest
from lake import ArchiveLanding, Lake, read_steps, read_transitions
from replaylake.flows.auditing import audit_archive
from replaylake.flows.ingest import ingest_once
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, CommitConflictError, NotFoundError, UsageError
from schemas.protocols import Move
from schemas.spaces import Box, Discrete
from tests.lake.archives import SPEC, append, landed_rows, row
from tests.lake.places import PLACES, lake_in
from tests.object_store import S3Place


@pytest.fixture(params=PLACES)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return lake_in(request.param, request, tmp_path)


def test_the_whole_way(lake: Lake, tmp_path: Path) -> None:
    archive = lake.create("demo", spec=SPEC, suite={"name": "mine", "expectations": []})
    with ingest.EmbeddedStream(tmp_path / "stream") as stream:
        stream.create_topic(archive.spec.topic)
        with ingest.Publisher(archive.spec, stream) as publisher:
            for step in range(4):
                publisher.publish(**row(step, terminated=step == 3))
            publisher.publish(**row(0, episode_id="bad", reward=float("nan")))
        ingest_once(lake, stream=stream)
        ingest_once(lake, stream=stream)

    again = Lake.of(lake.archive("demo"))
    assert again.names() == ["demo"]
    assert again.id == archive.lake_id
    assert again.sql("select step from demo.steps order by step").rows() == [(0,), (1,), (2,), (3,)]
    assert again.sql("select reasons from demo.quarantine").rows() == [(["finite(reward)"],)]
    assert again.sql("select count(*) from demo.transitions").rows() == [(4,)]
    made = again.archive("demo").snapshot("step < 3")
    assert [held.id for held in again.snapshots()] == [made.id]
    read = read_transitions(again.snapshot(made.id))
    np.testing.assert_array_equal(np.asarray(read.observation)[:, 0], [0.0, 1.0])
    audit_archive(lake, "demo")
    assert again.sql("select length from demo.episodes").rows() == [(4,)]


@pytest.mark.parametrize("agent", ["a b", "a/b", "ü%20", "it's", "a=b", "*"])
def test_odd_partitions(lake: Lake, agent: str) -> None:
    archive = lake.create("demo", spec=SPEC.model_copy(update={"partition_by": ("agent_id",)}))
    append(archive, row(0, agent_id=agent), row(1, agent_id="other"))
    append(archive, row(2, agent_id=agent))
    found = lake.sql("select step from demo.steps where agent_id = ? order by step", [agent]).rows()
    assert found == [(0,), (2,)]
    assert read_steps(archive, f"agent_id = '{agent.replace(chr(39), chr(39) * 2)}'").num_rows == 2
    log = archive.table("steps")
    assert sorted(log.file_names()) == sorted(
        file.name for file in log.store.files() if file.name.endswith(".parquet")
    )


def test_positions_move_once(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    first, second = archive.table("steps"), archive.table("steps")
    first.append(landed_rows(SPEC, 2), {"app": Move(-1, 4)}, {})
    with pytest.raises(CommitConflictError):
        second.append(landed_rows(SPEC, 2), {"app": Move(-1, 4)}, {})
    assert first.position("app") == 4
    assert lake.sql("select count(*) from demo.steps").rows() == [(2,)]
    assert len(first.added(0) or []) == 1
    assert first.added(1) == []
    assert first.at(0).file_names() == []
    landing = ArchiveLanding(archive)
    assert landing.position("steps", "app") == 4


def test_writers_at_once_lose_nothing(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)

    def write(name: str) -> None:
        log = archive.table("steps")
        for number in range(4):
            log.append(landed_rows(SPEC, 2, source=name), {name: Move(number - 1, number)}, {})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, "abcd"))
    found = lake.sql("select source, count(*) from demo.steps group by 1 order by 1").rows()
    assert found == [(name, 8) for name in "abcd"]


def test_who_creates_at_once_makes_one(lake: Lake) -> None:
    together = threading.Barrier(4)
    specs = [
        ArchiveSpec(name="demo", observation=Box(shape=(number // 2 + 1,)), action=Discrete(n=2))
        for number in range(4)
    ]

    def race(spec: ArchiveSpec) -> bool:
        together.wait()
        try:
            lake.create("demo", spec=spec)
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(race, specs))
    if won.count(True):  # where the tables are of one and the claim of none, nobody has made it
        assert won.count(True) == 1
        archive = lake.archive("demo")
        assert archive.spec == specs[won.index(True)]
        append(archive, row(0, observation=[0.0] * (won.index(True) // 2 + 1)))


def test_what_is_not_there_is_told(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="There is no lake"):
        lake.archives()
    assert lake.names() == []
    lake.create("demo", spec=SPEC)
    with pytest.raises(NotFoundError, match="There are: demo"):
        lake.archive("other")


def test_a_lake_on_s3_has_no_folder(
    s3_place: S3Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = Lake(s3_place.url, s3_place.options)
    archive = lake.create("demo", spec=SPEC)
    with pytest.raises(UsageError, match="not in a folder"):
        _ = lake.folder
    with pytest.raises(UsageError, match="not in a folder"):
        _ = archive.folder
    assert lake.stream_folder is None
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert lake.state_folder == tmp_path / "state" / "replaylake" / lake.id
    assert lake.cache_folder == tmp_path / "cache" / "replaylake" / lake.id
    secret = s3_place.options["aws_secret_access_key"]
    assert secret not in repr(lake) + repr(archive)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://b",
        "s3:///lake",
        "s3://UPPER/lake",
        "s3://bucket/../x",
        "s3://bucket/a//b",
        "s3://b c/d",
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not s3://bucket/prefix"):
        Lake(url)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no option 'secret'"):
        Lake("s3://bucket/lake", {"secret": "x"})
    with pytest.raises(UsageError, match="takes no options"):
        Lake(tmp_path, {"region": "x"})
