"""What every store does, whatever keeps the files: a folder of a disk, or a real S3 server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.stores import Store, open_store
from schemas.errors import StorageError
from tests.object_store import S3Place

ODD = [
    "a b.json",
    "a%20b.json",
    "ü.json",
    "a=b/c'd.json",
    "date=2026-01-01/agent=a%2Fb/part.parquet",
    "a+b&c.json",
]


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(tmp_path / "lake")
    place: S3Place = request.getfixturevalue("s3_place")
    return open_store(place.url, place.options)


def test_what_is_written_is_read(store: Store) -> None:
    store.write("a/b/c.json", b"one")
    assert store.read("a/b/c.json") == b"one"
    store.write("a/b/c.json", b"two")
    assert store.read("a/b/c.json") == b"two"
    assert store.below("a").below("b").read("c.json") == b"two"
    assert store.exists("a/b/c.json")
    assert not store.exists("a/b")
    assert not store.exists("a/b/d.json")


@pytest.mark.parametrize("name", ODD)
def test_odd_names_stay_as_they_are(store: Store, name: str) -> None:
    store.write(name, b"odd")
    assert store.read(name) == b"odd"
    assert [file.name for file in store.files()] == [name]
    folder, _, last = name.rpartition("/")
    assert store.names(folder) == [last]
    with store.open(name) as file:
        assert file.read() == b"odd"
    store.remove(name)
    assert list(store.files()) == []


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("nothing")
    with pytest.raises(FileNotFoundError):
        store.open("nothing")
    with pytest.raises(FileNotFoundError):
        store.look("nothing")
    store.remove("nothing")
    assert store.names() == []
    assert store.folders("nothing") == []
    assert list(store.files("nothing")) == []


def test_a_folder_lists_its_own(store: Store) -> None:
    for name in ("x.json", "a/y.json", "a/z.parquet", "a/deep/w.json", "ab/v.json"):
        store.write(name, name.encode())
    assert store.names() == ["x.json"]
    assert store.folders() == ["a", "ab"]
    assert store.names("a") == ["y.json", "z.parquet"]
    assert store.names("a", ".json") == ["y.json"]
    assert store.folders("a") == ["deep"]
    found = {file.name: file for file in store.files("a")}
    assert sorted(found) == ["a/deep/w.json", "a/y.json", "a/z.parquet"]
    assert found["a/y.json"].size == len("a/y.json")
    assert abs(found["a/y.json"].modified - datetime.now(UTC)) < timedelta(minutes=5)


def test_of_many_who_write_once_one_wins_and_its_bytes_stay(store: Store) -> None:
    together = threading.Barrier(6)

    def race(number: int) -> bool:
        together.wait()
        return store.write_once("claim.json", str(number).encode())

    with ThreadPoolExecutor(6) as threads:
        won = list(threads.map(race, range(6)))
    assert won.count(True) == 1
    assert store.read("claim.json") == str(won.index(True)).encode()
    assert not store.write_once("claim.json", b"late")
    assert store.names() == ["claim.json"]


def test_a_file_that_is_created_is_there_whole_or_not_at_all(store: Store) -> None:
    with store.create("a/new.bin") as file:
        file.write(b"x" * 10)
        file.write(b"y" * (20 << 20))  # more than is kept in memory on the way to a server
    assert store.read("a/new.bin") == b"x" * 10 + b"y" * (20 << 20)

    with pytest.raises(ValueError, match="stop"), store.create("a/torn.bin") as file:
        file.write(b"half")
        raise ValueError("stop")
    assert store.names("a") == ["new.bin"]


def test_a_file_is_read_in_parts(store: Store) -> None:
    rows = pa.table({"x": range(10_000), "y": [float(number) for number in range(10_000)]})
    with store.create("rows.parquet") as file:
        pq.write_table(rows, file, row_group_size=1_000)
    with store.open("rows.parquet") as file, pq.ParquetFile(file) as parquet:
        assert parquet.read_row_group(3, columns=["x"])["x"].to_pylist() == list(range(3_000, 4_000))
    with store.open("rows.parquet") as file:
        assert pq.read_table(file).equals(rows)


def test_a_place_shows_no_secret(s3_place: S3Place) -> None:
    store = open_store(s3_place.url, s3_place.options)
    secret = s3_place.options["aws_secret_access_key"]
    assert secret not in repr(store) + str(store) + store.url + store.uri("x")
    wrong = open_store(s3_place.url, s3_place.options | {"aws_secret_access_key": "no-such-secret"})
    with pytest.raises(StorageError, match=r"Cannot write s3://.*Check the endpoint") as caught:
        wrong.write("x", b"")
    assert "no-such-secret" not in str(caught.value)


def test_who_gives_no_keys_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"no keys were given.*Set AWS_ACCESS_KEY_ID"):
        open_store("s3://experience/lab").read("lake.json")


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3://nobody-made-it/lake", {}, r"bucket does not exist.*Check the endpoint, the bucket"),
        (
            None,
            {"aws_access_key_id": "nobody"},
            r"Cannot (read|write) s3://.*: (?!Object at).*Check the endpoint",
        ),
        (None, {"aws_endpoint": "http://127.0.0.1:1"}, "no server answers there"),
        (None, {"aws_allow_http": "false"}, r"the endpoint is http://.*allow_http: true"),
    ],
)
def test_a_place_that_cannot_be_reached_is_not_taken_for_an_empty_one(
    s3_place: S3Place, url: str | None, options: dict[str, str], said: str
) -> None:
    store = open_store(url or s3_place.url, s3_place.options | options)
    with pytest.raises(StorageError, match=said):
        store.read("lake.json")
    with pytest.raises(StorageError, match=said):
        store.write("lake.json", b"")
    with pytest.raises(StorageError, match=said):
        store.write_once("lake.json", b"")
