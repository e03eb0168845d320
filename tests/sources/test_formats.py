"""Every format: the same records make the same steps, whatever they are written as."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pytest

from ingest import MemoryStream, SourceOptions
from ingest.sources import open_records
from schemas.errors import DataError, NotFoundError, UsageError
from tests.sources.doors import csv_of, gains, landing, mapping, numbers, publish, record
from tests.sources.reads import read

COUNT = 50
RECORDS = [record(number) for number in range(COUNT)]
NDJSON = b"".join(json.dumps(one).encode() + b"\n" for one in RECORDS)
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "click",
    "fields": [
        {"name": "user", "type": "string"},
        {"name": "x", "type": "double"},
        {"name": "y", "type": ["null", "double"]},
        {"name": "choice", "type": "long"},
        {"name": "gain", "type": "double"},
        {"name": "at", "type": "long"},
    ],
}


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def parquet(path: Path) -> None:
    pl.DataFrame(RECORDS).write_parquet(path, row_group_size=20)


def avro(path: Path) -> None:
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(SCHEMA), RECORDS, sync_interval=200)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.csv": lambda path: path.write_bytes(csv_of(COUNT)),
    "a.tsv": lambda path: path.write_bytes(csv_of(COUNT).replace(b",", b"\t")),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(csv_of(COUNT))),
    "two.csv.gz": lambda path: path.write_bytes(
        gzip.compress(csv_of(COUNT)[:500]) + gzip.compress(csv_of(COUNT)[500:])
    ),
    "a.csv.zst": lambda path: path.write_bytes(zstd(csv_of(COUNT))),
    "named_wrongly.csv": lambda path: path.write_bytes(gzip.compress(csv_of(COUNT))),
    "crlf.csv": lambda path: path.write_bytes(b"\xef\xbb\xbf" + csv_of(COUNT).replace(b"\n", b"\r\n")),
    "a.ndjson": lambda path: path.write_bytes(NDJSON),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(NDJSON)),
    "lines.json": lambda path: path.write_bytes(NDJSON),
    "array.json": lambda path: path.write_text(json.dumps(RECORDS, indent=1)),
    "several.json": lambda path: path.write_text("\n".join(json.dumps(one, indent=1) for one in RECORDS)),
    "a.parquet": parquet,
    "a.avro": avro,
    "unnamed": lambda path: path.write_bytes(b"\n" + NDJSON),
    "unnamed_table": parquet,
    "unnamed_avro": avro,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_format_makes_the_steps(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    stream = MemoryStream()
    report = publish(stream, path, mapped=mapping())
    assert (report.records, report.steps, report.refused) == (COUNT, COUNT, 0)
    rows = sorted(landing(stream).values(), key=lambda row: row["reward"])
    assert [row["reward"] for row in rows] == numbers(COUNT)
    assert [row["observation"] for row in rows] == [[one["x"], one["y"]] for one in RECORDS]
    assert [row["action"] for row in rows] == [one["choice"] for one in RECORDS]
    assert [row["event_time"].timestamp() for row in rows] == [one["at"] for one in RECORDS]


@pytest.mark.parametrize("name", WRITERS)
def test_every_reading_repeats_the_ids(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    first, second = read(path), read(path)
    assert first.ids == second.ids and len(set(first.ids)) == COUNT
    for place in first.places:
        rest = read(path, place)
        assert rest.ids == first.ids[place.record :]
    assert read(path, first.places[-1]).ids == []


def test_records_within_documents(tmp_path: Path) -> None:
    path = tmp_path / "pages.json"
    pages = [{"page": page, "hits": {"items": RECORDS[page::5]}} for page in range(5)]
    path.write_text("\n".join(json.dumps(page) for page in pages))
    stream = MemoryStream()
    publish(stream, path, mapped=mapping(records="$.hits.items[*]"))
    assert gains(stream) == numbers(COUNT)
    path.write_text(json.dumps(pages))
    publish(array := MemoryStream(), path, mapped=mapping(records="$[*].hits.items[*]"))
    assert gains(array) == numbers(COUNT)


def test_one_file_is_one_whatever_it_is_called_and_however_it_grows(tmp_path: Path) -> None:
    content = csv_of(COUNT)
    half, whole, packed = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv.gz"
    half.write_bytes(content[: content.index(b"\n", 400) + 1])
    whole.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    ids = read(whole).ids
    assert read(packed).ids == ids
    assert read(half).ids == ids[: len(read(half).ids)]


def test_ids_are_stable_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n')
    expected = ["2ea0331d82eb-000000000000-fba18e97", "2ea0331d82eb-000000000001-d08cdd54"]
    assert read(path).ids == expected
    assert read(path, name="web").ids == [f"web/{one}" for one in expected]
    path.write_bytes(b'{"a": 1}\r\n\r\n{"a": 2}')
    assert read(path).ids == expected


def test_a_mended_record_is_another_and_the_rest_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(COUNT))
    before = read(path).ids
    path.write_bytes(csv_of(COUNT).replace(b",30.0,", b",31.5,"))
    changed = [old != new for old, new in zip(before, read(path).ids, strict=True)]
    assert [index for index, is_changed in enumerate(changed) if is_changed] == [30]


def test_tables_of_text_are_read_as_they_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("1;'é;''n''';NA\n2;b;\n".encode("latin-1"))
    found = read(
        path,
        format="csv",
        csv={
            "delimiter": ";",
            "quote": "'",
            "header": False,
            "columns": ["p", "q", "r"],
            "nulls": ["NA"],
            "encoding": "latin-1",
        },
    )
    assert found.records == [{"p": "1", "q": "é;'n'", "r": None}, {"p": "2", "q": "b", "r": ""}]
    path.write_bytes(b'p,,"q ""x"""\n1,2,3\n')
    assert read(path, format="csv").records == [{"p": "1", "column_2": "2", 'q "x"': "3"}]
    assert read(path, format="csv", csv={"quote": None}).records == [
        {"p": "1", "column_2": "2", '"q ""x"""': "3"}
    ]


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("a.csv", b"p,p\n1,2\n", DataError, "names 'p' twice"),
        ("a.csv", b"p,\xff\n1,2\n", DataError, "not UTF-8"),
        ("a.parquet", b"PAR1 and no more", DataError, "does not read as Parquet"),
        ("a.avro", b"Obj\x01 and no more", DataError, "does not read as Avro"),
        ("a.parquet.gz", gzip.compress(b"PAR1", mtime=0), UsageError, "Parquet cannot be read from"),
        ("a.txt", b"hello there\n", UsageError, "it starts with 'hello there'"),
        ("a.bz2", bz2.compress(b"{}\n"), UsageError, "neither"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: bytes, error: type[Exception], said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=said):
        list(open_records(str(path), SourceOptions()))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        list(open_records(str(tmp_path / "gone.csv"), SourceOptions()))
    with pytest.raises(UsageError, match="cannot be read"):
        list(open_records(str(tmp_path), SourceOptions()))
    (tmp_path / "a.csv").write_bytes(csv_of(2))
    with pytest.raises(UsageError, match="records"):
        list(open_records(str(tmp_path / "a.csv"), SourceOptions(format="csv", records="$.a")))


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.json", "a.parquet"])
def test_an_empty_file_holds_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        pl.DataFrame(RECORDS[:1]).clear().write_parquet(path)
    else:
        path.write_bytes(b"")
    assert read(path).records == []
    stream = MemoryStream()
    assert publish(stream, path, mapped=mapping()).records == 0
