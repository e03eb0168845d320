"""`replaylake publish`: which files are taken, as what, and what is sent of them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from replaylake import Lake
from replaylake.cli.sources import Source, check_sources
from schemas.errors import DataError, NotFoundError, UsageError
from tests.cli.command import call, ndjson, ok, step, steps


@pytest.fixture
def archive(folder: Path) -> None:
    Lake("lake").create("cartpole", env="CartPole-v1")


def _records(path: str, form: Any = "auto") -> list[Any]:
    return [json.loads(line) for source in check_sources([path], form) for line in source.records()]


def _one(path: str, content: bytes | str) -> Source:
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_sources([path], "auto")[0]


def test_files_of_every_form_land_together(archive: None, folder: Path) -> None:
    (folder / "lines.ndjson").write_bytes(ndjson(*(step(0, number) for number in range(10))))
    (folder / "array.json").write_text(json.dumps([step(1, number) for number in range(10)], indent=2))
    (folder / "one.json").write_text(json.dumps(step(2, 0), indent=4))
    stdin = json.dumps(step(3, 0)) + "\n\n" + json.dumps(step(3, 1))
    sent = ok("publish", "cartpole", "lines.ndjson", "array.json", "one.json", "-", "--json", stdin=stdin)
    assert sent.document == {
        "archive": "cartpole",
        "topic": "replaylake.cartpole",
        "files": ["lines.ndjson", "array.json", "one.json", "-"],
        "records": 23,
    }
    assert sent.err == ""
    done = ok("ingest", "--once", "--json").document
    assert (done["accepted"], done["quarantined"]) == (23, 0)


def test_people_hear_how_much_was_sent_and_what_comes_next(archive: None) -> None:
    outcome = ok("publish", "cartpole", "-", "--lake", "lake", stdin=ndjson(*steps(120)))
    assert outcome.out == "Published 1,200 records to replaylake.cartpole.\n"
    assert outcome.err == "Next: replaylake ingest cartpole --once --lake lake\n"


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
def test_forms(content: bytes | str, expected: list[Any]) -> None:
    found = [line for line in _one("file", content).records() if line.strip()]
    assert [json.loads(line) for line in found] == expected
    assert not any(b"\n" in line.rstrip() for line in found)


def test_numbers_are_sent_as_they_are_written() -> None:
    written = '{"a": 1.10, "b": 1e400, "c": NaN, "a": 12345678901234567890123}'
    assert list(_one("file", f"[{written}]").records()) == [written.encode()]


def test_bad_lines_are_sent_for_the_gate_to_keep() -> None:
    content = b'{"a": 1}\nnot json\n{"a":\n'
    assert list(_one("file", content).records()) == content.splitlines(keepends=True)
    assert list(_one("file.ndjson", b"not json\n").records()) == [b"not json\n"]
    Path("plain").write_bytes(b"not json\n")
    assert list(check_sources(["plain"], "ndjson")[0].records()) == [b"not json\n"]


@pytest.mark.parametrize("content", ['[{"a": 1}', '{"a": 1,\n', '[{"a": 1},]', "[1 2]", '{"a"\n}', b"[\xff]"])
def test_broken_json_is_refused_before_a_record_comes(content: bytes | str) -> None:
    with pytest.raises(DataError, match=r"'file\.json' is not JSON: .*Nothing of it was sent"):
        next(_one("file.json", content).records())


def test_ndjson_is_read_line_by_line(archive: None, folder: Path) -> None:
    os.mkfifo("pipe")
    [source] = check_sources(["pipe"], "ndjson")
    written: list[bytes] = []
    opened = threading.Event()

    def write() -> None:
        with open("pipe", "wb", buffering=0) as pipe:
            pipe.write(b'{"a": 1}\n')
            opened.wait(30)
            pipe.write(b'{"a": 2}\n')

    writer = threading.Thread(target=write)
    writer.start()
    records = source.records()
    written.append(next(records))  # although more is to come
    opened.set()
    written.extend(records)
    writer.join()
    assert written == [b'{"a": 1}\n', b'{"a": 2}\n']


def test_what_cannot_be_read_is_refused_before_anything_is_sent(archive: None, folder: Path) -> None:
    (folder / "good.ndjson").write_bytes(ndjson(step(0, 0)))
    (folder / "table.csv").write_text("a,b\n1,2\n")
    for bad, said in (
        ("gone.ndjson", "no file 'gone.ndjson'"),
        (".", "'.' is a folder"),
        ("good.ndjson/x", "Not a directory"),
        ("table.csv", "starts with 'a,b'"),
    ):
        outcome = call("publish", "cartpole", "good.ndjson", bad)
        assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert call("publish", "cartpole", "-", "-").code == 2
    assert ok("ingest", "--once", "--json").document["accepted"] == 0


def test_broken_json_fails(archive: None) -> None:
    outcome = call("publish", "cartpole", "-", "--json", stdin="[1, 2")
    assert outcome.code == 1
    assert "'standard input' is not JSON" in outcome.document["error"]["message"]


def test_text_on_standard_input_is_a_wrong_use(archive: None) -> None:
    outcome = call("publish", "cartpole", "-", stdin="hello\n")
    assert outcome.code == 2 and "--format ndjson" in outcome.err
    assert ok("publish", "cartpole", "-", "--format", "ndjson", stdin="hello\n")


def test_the_errors_are_of_the_tree() -> None:
    with pytest.raises(NotFoundError):
        check_sources(["gone"], "auto")
    with pytest.raises(UsageError):
        check_sources(["."], "auto")


def test_twice_adds_nothing_and_reasons_are_told(archive: None) -> None:
    lines = ndjson(step(0, 0), step(0, 1), step(0, 2, action=9))
    for _ in range(2):
        ok("publish", "cartpole", "-", stdin=lines)
    outcome = ok("ingest", "cartpole", "--once")
    rows = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in outcome.out.splitlines()[2:]}
    assert rows["accepted"] == "2" and rows["duplicates"] == "2"
    assert rows["in_space(action)"] == rows["quarantined"]
    assert "cartpole.quarantine" in outcome.err


def test_partitions_and_stream_are_the_settings(archive: None, folder: Path) -> None:
    stream = f"embedded:{folder / 'elsewhere'}"
    ok("publish", "cartpole", "-", "--stream", stream, "--partitions", "2", stdin=ndjson(step(0, 0)))
    assert (folder / "elsewhere").is_dir()
    assert ok("ingest", "--once", "--json").document["accepted"] == 0
    assert ok("--stream", stream, "ingest", "--once", "--json").document["accepted"] == 1
    unknown = call("publish", "cartpole", "-", "--stream", "carrier:pigeon", stdin=b"")
    assert unknown.code == 2 and "pigeon" not in unknown.err


def test_records_of_a_whole_file(folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(ndjson(*steps(2)))
    assert _records("a.jsonl") == list(steps(2))
