"""Bad input: a clear reason for each record, the others go on, and nothing is lost in silence."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import MemoryStream
from ingest.sources.places import KEPT, ReadLimits
from schemas.errors import DataError, StepsError, UsageError
from tests.sources.doors import SPEC, csv_of, decoded, faults, gains, mapping, numbers, publish, record
from tests.sources.reads import read
from tests.sources.test_formats import RECORDS, avro

PROPERTY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ndjson(*records: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def test_bad_rows_of_a_table_go_to_quarantine_as_they_came(tmp_path: Path) -> None:
    lines = csv_of(20).splitlines(keepends=True)
    bad = [b"u1,1,2\n", b'u1,"1\n', b"u1,1,2,0,\xff,5\n", b"u1,1,2,0,\x00,5\n", b"u1,x,2,0,7,1780000000\n"]
    for index, line in enumerate(bad):
        lines.insert(3 * index + 2, line)
    path = tmp_path / "a.csv"
    path.write_bytes(b"".join(lines))
    stream = MemoryStream()
    report = publish(stream, path, mapped=mapping())
    assert (report.records, report.steps, report.refused) == (25, 20, 5)
    assert gains(stream) == numbers(20)
    reasons = ["ragged(csv)", "malformed(csv)", "undecodable", "undecodable", "mapping(observation)"]
    assert faults(stream) == {
        (raw.rstrip(b"\n"), reason): 1 for raw, reason in zip(bad, reasons, strict=True)
    }


def test_bad_lines_of_json_go_to_quarantine_as_they_came(tmp_path: Path) -> None:
    bad = [b"not json", b"[1, 2]", b'"text"', b"7", b'{"a":', b"[" * 5000, b"\xff\xfe", b'{"x": 1}', b"null"]
    good = ndjson(*(record(number) for number in range(10))).splitlines()
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join(part for pair in zip(good, [*bad, b""], strict=True) for part in pair))
    stream = MemoryStream()
    publish(stream, path, mapped=mapping())
    assert gains(stream) == numbers(10)
    assert sorted(raw for raw, _ in faults(stream)) == sorted(bad)


def test_nan_is_read_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(ndjson(record(0, gain=float("nan")), record(1, gain=float("-inf"))))
    rows = read(path).records
    assert [str(row["gain"]) for row in rows] == ["nan", "-inf"]


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson"])
@pytest.mark.parametrize("chunk", [1000, 64 << 10, 4 << 20])
def test_a_line_that_is_too_long_is_refused_alone(tmp_path: Path, name: str, chunk: int) -> None:
    limits = ReadLimits(chunk=chunk, record=600_000)
    content = csv_of(10) if name == "a.csv" else ndjson(*(record(number) for number in range(10)))
    lines = content.splitlines(keepends=True)
    path = tmp_path / name
    path.write_bytes(b"".join([*lines[:5], b"x" * 2_000_000 + b"\r\n", *lines[5:]]))
    found = read(path, limits=limits)
    assert len(found.records) == 10
    [(raw, reason, detail)] = found.refused
    assert (raw, reason) == (b"x" * KEPT, "too_long")
    assert "2,000,000 bytes" in detail and "262,144 bytes are kept" in detail
    assert found.ids == read(path, limits=ReadLimits(record=600_000)).ids


def test_fifty_megabytes_without_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    good = ndjson(*(record(number) for number in range(3)))
    path.write_bytes(good + b"[" * 50_000_000)
    stream = MemoryStream()
    report = publish(stream, path, mapped=mapping())
    assert (report.steps, report.refused) == (3, 1)
    as_it_is = MemoryStream()
    assert publish(as_it_is, path).refused == 1
    assert len(decoded(as_it_is).faults) == 4  # three that are no steps, and the long one


def test_a_stray_quote_takes_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'p,q\n1,2\n"3,4\n5,6\n7,"8" \n9,10\n')
    found = read(path)
    assert [row["p"] for row in found.records] == ["1", "5", "9"]
    assert [raw for raw, _, _ in found.refused] == [b'"3,4', b'7,"8" ']
    path.write_bytes(b'p,q\n1,2\n"3,4\n' + b"5,6\n" * 1000)
    found = read(path, limits=ReadLimits(chunk=100, record=500))
    assert len(found.records) == 1001 and [raw for raw, _, _ in found.refused] == [b'"3,4']


@pytest.mark.parametrize("name", ["a.csv.gz", "a.ndjson.gz", "a.csv.zst"])
def test_a_file_that_breaks_off_is_told_after_what_came_before(tmp_path: Path, name: str) -> None:
    chance = random.Random(1)
    rows = [record(number, x=chance.random()) for number in range(30_000)]
    content = ndjson(*rows)
    if "csv" in name:
        content = "\n".join(
            [",".join(record(0)), *(",".join(map(str, row.values())) for row in rows)]
        ).encode()
    packed = gzip.compress(content)
    if name.endswith("zst"):
        from tests.sources.test_formats import zstd

        packed = zstd(content)
    path, whole = tmp_path / name, tmp_path / f"whole-{name}"
    whole.write_bytes(packed)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    (tmp_path / "other.ndjson").write_bytes(ndjson(record(-1)))
    stream = MemoryStream()
    limits = ReadLimits(chunk=64 << 10)
    report = publish(
        stream, path, tmp_path / "other.ndjson", mapped=mapping(), limits=limits, ledger=tmp_path / "ledger"
    )
    [torn] = report.torn
    assert "breaks off after" in torn.message and str(path) in torn.message
    before = gains(stream)
    assert -1.0 in before and 1000 < len(before) < 30_000
    # Restored, it goes on where it broke off.
    report = publish(stream, whole, mapped=mapping(), limits=limits, ledger=tmp_path / "ledger")
    assert gains(stream) == [-1.0, *numbers(30_000)]
    assert report.records == 30_000 - (len(before) - 1)


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}, {"a": 2},', b'[{"a": 1}, {"a": 2}, {"a"', b'[{"a": 1}, {"a": 2}']
)
def test_an_array_that_is_cut_off_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is cut off"):
        read(path)


def test_a_document_that_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"a": "' + b"x" * 2000 + b'"}]')
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        read(path, limits=ReadLimits(chunk=100, record=1000))


@PROPERTY
@given(
    soup=st.lists(
        st.sampled_from(
            [b'{"a": 1}', b"[", b"]", b",", b"\n", b'"', b"{", b"}", b"\\", b"x", b'{"b": "]}\\""}', b"\xff"]
        )
    ),
    chunk=st.integers(1, 30),
)
def test_pieces_do_not_show_in_json(tmp_path: Path, soup: list[bytes], chunk: int) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"".join(soup))
    outcomes = []
    for limits in (ReadLimits(), ReadLimits(chunk=chunk)):
        try:
            found = read(path, limits=limits, format="json")
        except DataError as exc:
            outcomes.append(exc.message)
        else:
            outcomes.append(str((found.records, found.ids, found.refused)))
    assert outcomes[0] == outcomes[1]


@PROPERTY
@given(
    lines=st.lists(st.sampled_from([b'{"a": 1}', b"", b" \t", b"\r", b"7", b"{", b"\xff", b'{"b": []}\r'])),
    chunk=st.integers(1, 30),
    ended=st.booleans(),
)
def test_pieces_do_not_show_in_lines(tmp_path: Path, lines: list[bytes], chunk: int, ended: bool) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n" * ended)
    whole, parts = read(path), read(path, limits=ReadLimits(chunk=chunk))
    assert (whole.records, whole.ids, whole.refused) == (parts.records, parts.ids, parts.refused)
    objects = [json.loads(line) for line in lines if line.startswith(b"{") and len(line) > 1]
    assert whole.records == objects
    assert len(objects) + len(whole.refused) == sum(bool(line.strip()) for line in lines)


def test_avro_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.avro"
    avro(path)
    path.write_bytes(path.read_bytes()[:-100])
    stream = MemoryStream()
    report = publish(stream, path, mapped=mapping())
    assert len(report.torn) == 1 and "does not read as Avro" in report.torn[0].message
    assert 0 < len(gains(stream)) < len(RECORDS)


def test_avro_values_that_json_does_not_have(tmp_path: Path) -> None:
    schema = {
        "type": "record",
        "name": "odd",
        "fields": [
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "image", "type": "bytes"},
        ],
    }
    path = tmp_path / "a.avro"
    with path.open("wb") as file:
        fastavro.writer(
            file, fastavro.parse_schema(schema), [{"at": 1_780_000_000_000, "image": b"\x00\xff"}]
        )
    assert read(path).records == [{"at": "2026-05-28T20:26:40+00:00", "image": "AP8="}]


def test_a_mapping_that_fits_no_file_stops_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"p,q\n1,2\n")
    stream = MemoryStream()
    with pytest.raises((UsageError, StepsError)):
        publish(stream, path, mapped=mapping())
    assert stream.topic(SPEC.topic) and decoded(stream).table.num_rows == 0
