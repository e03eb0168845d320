"""JSON without a mapping: sent as it is, good or bad, and JSON documents whole or not at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ingest import MemoryStream, SourceOptions
from schemas.protocols import Partition
from tests.sources.doors import SPEC, lines_of, messages_of, publish


def write(folder: Path, content: bytes | str, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('\n\n{"a": 1}', [{"a": 1}]),
        (b'\xef\xbb\xbf{"a": 1}\n', [{"a": 1}]),
        ('{\n "a": [1,\n 2]\n}\n{\n "a": 3}', [{"a": [1, 2]}, {"a": 3}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('[\r\n  {"a": "x\\ny"},\r\n  {"b": {}}\r\n]\n', [{"a": "x\ny"}, {"b": {}}]),
        ('[{"a": 1}]\n[{"a": 2}]\n', [{"a": 1}, {"a": 2}]),
        ("[]", []),
        ("", []),
        (" \n ", []),
    ],
    ids=repr,
)
def test_forms(tmp_path: Path, content: bytes | str, expected: list[Any]) -> None:
    assert [json.loads(line) for line in lines_of(write(tmp_path, content))] == expected
    packed = content if isinstance(content, bytes) else content.encode()
    zipped = write(tmp_path, gzip.compress(packed), "file.json.gz")
    assert [json.loads(line) for line in lines_of(zipped)] == expected


def test_numbers_are_sent_as_they_are_written(tmp_path: Path) -> None:
    written = '{"a": 1.10, "b": 1e400, "c": NaN, "a": 12345678901234567890123}'
    assert lines_of(write(tmp_path, f"[{written}]")) == [written.encode()]


def test_bad_lines_are_sent_for_the_gate_to_keep(tmp_path: Path) -> None:
    content = b'{"a": 1}\nnot json\n{"a":\n'
    assert lines_of(write(tmp_path, content)) == content.splitlines()
    assert lines_of(write(tmp_path, b"not json\n", "file.ndjson")) == [b"not json"]
    plain = write(tmp_path, b"not json\n", "plain")
    assert lines_of(plain, options=SourceOptions(format="ndjson")) == [b"not json"]


@pytest.mark.parametrize("content", ['[{"a": 1}', '{"a": 1,\n', '[{"a": 1},]', "[1 2]", '{"a"\n}', b"[\xff]"])
def test_broken_json_is_refused_before_a_record_comes(tmp_path: Path, content: bytes | str) -> None:
    stream = MemoryStream()
    good = write(tmp_path, '{"a": 1}', "good.json")
    report = publish(stream, write(tmp_path, content, "file.json"), good)
    [torn] = report.torn
    assert "is not JSON" in torn.message and "Nothing of it was sent" in torn.message
    assert report.records == 1 and len(messages_of(stream)) == 1


def test_what_was_published_is_left_out_unless_it_has_grown(tmp_path: Path) -> None:
    stream, ledger = MemoryStream(), tmp_path / "ledger"
    lines, document = (
        write(tmp_path, '{"a": 1}\n{"a": 2}\n', "a.ndjson"),
        write(tmp_path, '[{"a": 1}]', "b.json"),
    )
    assert publish(stream, lines, document, ledger=ledger).records == 3
    report = publish(stream, lines, document, ledger=ledger)
    assert (report.records, report.already) == (0, [str(lines), str(document)])
    lines.write_bytes(lines.read_bytes() + b'{"a": 3}\n')
    document.write_text('[{"a": 1}, {"a": 4}]')
    report = publish(stream, lines, document, ledger=ledger)
    assert (report.records, report.already) == (3, [])
    assert publish(stream, lines, document, ledger=ledger, again=True).records == 5
    assert publish(stream, lines, document, ledger=ledger).already == [str(lines), str(document)]


def test_another_topic_has_not_had_it(tmp_path: Path) -> None:
    lines, ledger = write(tmp_path, '{"a": 1}\n', "a.ndjson"), tmp_path / "ledger"
    for _ in range(2):
        stream = MemoryStream()
        assert publish(stream, lines, ledger=ledger).records == 1
        assert sum(stream.bounds(Partition(SPEC.topic, number)).end for number in range(2)) == 1
