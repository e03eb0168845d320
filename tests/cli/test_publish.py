"""`replaylake publish`: which files are taken, as what, and what is sent of them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ingest import EmbeddedStream, SourceOptions
from replaylake import Lake, publish_files, publish_topic
from schemas.archive_spec import ArchiveSpec
from schemas.errors import DataError, UsageError
from schemas.spaces import Box, Discrete
from tests.cli.command import call, ndjson, ok, step, steps

COMMAND = Path(sys.executable).with_name("replaylake")
SPEC = ArchiveSpec(name="clicks", observation=Box(shape=(2,)), action=Discrete(n=3))
MAPPING = """
columns:
  agent_id: user
  observation: [x, y]
  action: choice
  reward: gain
  event_time: {field: at, time: epoch_s}
  terminated: {const: false}
  truncated: {const: false}
"""


@pytest.fixture
def archive(folder: Path) -> None:
    Lake("lake").create("cartpole", env="CartPole-v1")


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


def test_what_cannot_be_read_is_refused_before_anything_is_sent(archive: None, folder: Path) -> None:
    (folder / "good.ndjson").write_bytes(ndjson(step(0, 0)))
    (folder / "text").write_text("a,b\n1,2\n")
    (folder / "empty").mkdir()
    for bad, said in (
        ("gone.ndjson", "no file 'gone.ndjson'"),
        ("empty", "no file of a known format in 'empty'"),
        ("*.avro", "no file '*.avro'"),
        ("good.ndjson/x", "Not a directory"),
        ("text", "starts with 'a,b'"),
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


@pytest.fixture
def clicks(folder: Path) -> Path:
    """An archive of clicks, a table of them with one bad row, and a mapping."""
    Lake("lake").create("clicks", spec=SPEC)
    (folder / "clicks.yaml").write_text(MAPPING)
    path = folder / "clicks.csv"
    path.write_text("user,x,y,choice,gain,at\n" + "".join(_row(number) for number in range(100)) + "u,1\n")
    return path


def _row(number: int) -> str:
    return f"u{number},{number},1,{number % 3},{number}.5,{1_780_000_000 + number}\n"


def _landed() -> list[Any]:
    sql = "select count(*) as n, count(distinct event_id) as ids from clicks.steps"
    return list(ok("query", sql, "--json").document)


def test_a_table_is_mapped_and_twice_adds_nothing(clicks: Path) -> None:
    words = ("publish", "clicks", "clicks.csv", "--mapping", "clicks.yaml")
    outcome = ok(*words)
    assert outcome.out == (
        "Published 100 steps of 101 records to replaylake.clicks. "
        "1 became no step: to quarantine, each with its reason.\n"
    )
    again = ok(*words)
    assert again.out == "clicks.csv was published already; --again sends it anyway.\n"
    assert ok(*words, "--json").document["already_published"] == ["clicks.csv"]
    assert ok(*words, "--again", "--json").document["steps"] == 100
    done = ok("ingest", "--once", "--json").document
    assert (done["accepted"], done["duplicates"]) == (100, 100)
    assert done["reasons"] == {"ragged(csv)": 2}
    assert _landed() == [{"n": 100, "ids": 100}]


def test_a_dry_run_sends_nothing(clicks: Path) -> None:
    words = ("publish", "clicks", "clicks.csv", "--mapping", "clicks.yaml", "--dry-run")
    document = ok(*words, "--json").document
    assert (document["records"], document["accepted"], document["unmapped"]) == (101, 100, 1)
    assert "ragged(csv)" in ok(*words).out
    assert ok("ingest", "--once", "--json").document["accepted"] == 0
    assert call("publish", "clicks", "clicks.csv", "--dry-run").code == 2
    assert call("publish", "clicks", "topic:x", "--mapping", "clicks.yaml", "--dry-run").code == 2


def test_a_folder_of_packed_lines_goes_as_it_is(archive: None, folder: Path) -> None:
    logs = folder / "logs"
    (logs / "deep").mkdir(parents=True)
    (logs / "a.ndjson.gz").write_bytes(gzip.compress(ndjson(*steps(3))))
    (logs / "deep" / "b.json").write_text(json.dumps([step(7, 0), step(7, 1)]))
    (logs / ".c.ndjson").write_bytes(b"hidden")
    (logs / "readme.txt").write_bytes(b"hello")
    assert ok("publish", "cartpole", "logs", "--json").document["records"] == 32
    again = ok("publish", "cartpole", "logs/*.gz", "logs/deep")
    assert again.out == ("logs/a.ndjson.gz and 1 more were published already; --again sends them anyway.\n")
    assert ok("ingest", "--once", "--json").document["accepted"] == 32


def test_a_topic_is_published_where_it_stood(clicks: Path, folder: Path) -> None:
    with EmbeddedStream(folder / "lake" / ".stream") as stream:
        stream.create_topic("foreign", 2)
        producer = stream.producer()
        for number in range(10):
            one = {"user": "u", "x": number, "y": 1, "choice": 0, "gain": 1, "at": 1_780_000_000 + number}
            producer.send("foreign", json.dumps(one).encode())
        producer.close()
    words = ("publish", "clicks", "topic:foreign", "--mapping", "clicks.yaml", "--json")
    assert ok(*words).document["steps"] == 10
    assert ok(*words).document["steps"] == 0
    assert ok(*words, "--again").document["steps"] == 10
    assert ok("ingest", "clicks", "--once", "--json").document["accepted"] == 10
    assert call("publish", "clicks", "topic:foreign").code == 2
    assert call(*words, "--format", "avro").code == 2
    assert call("publish", "clicks", "topic:gone", "--mapping", "clicks.yaml").code == 2
    assert call("publish", "clicks", "topic:foreign", "clicks.csv", "--mapping", "clicks.yaml").code == 2


def test_files_that_break_off_are_told_after_the_others(clicks: Path, folder: Path) -> None:
    packed = gzip.compress(os.urandom(500) + clicks.read_bytes())
    for name in ("a.csv.gz", "b.csv.gz"):
        (folder / name).write_bytes(packed[:-20])
    outcome = call("publish", "clicks", "a.csv.gz", "b.csv.gz", "clicks.csv", "--mapping", "clicks.yaml")
    assert outcome.code == 1 and "breaks off" in outcome.err and "So does 1 more." in outcome.err
    assert ok("ingest", "--once", "--json").document["accepted"] == 100


def test_following_ends_with_sigterm_and_goes_on(clicks: Path) -> None:
    files = ["clicks.csv", "--mapping", "clicks.yaml", "--follow"]
    log = ["--json", "--log-level", "info", "--log-format", "json"]
    words: list[str | Path] = [COMMAND, "publish", "clicks", *files, *log]
    first = 100
    for at_once in (101, 50):  # what the file holds that is new when the process starts
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None and process.stdout is not None
            told = (json.loads(line) for line in process.stderr)
            assert any(entry.get("records") == at_once for entry in told)
            _append(clicks, first, 50)
            assert any(entry.get("records") == at_once + 50 for entry in told)
            process.send_signal(signal.SIGTERM)
            assert json.loads(process.stdout.read())["records"] == at_once + 50
            assert process.wait(60) == 0
        _append(clicks, first + 50, 50)
        first += 100
    ok("ingest", "--once")
    assert _landed() == [{"n": 250, "ids": 250}]


def _append(path: Path, first: int, count: int) -> None:
    with path.open("a") as file:
        file.write("".join(_row(number) for number in range(first, first + count)))


def test_the_python_door(clicks: Path, folder: Path) -> None:
    archive = Lake("lake").archive("clicks")
    report = publish_files(archive, clicks, mapping=folder / "clicks.yaml")
    assert (report.steps, report.refused, report.already) == (100, 1, [])
    assert publish_files(archive, clicks, mapping="clicks.yaml").already == [str(clicks)]
    (folder / "torn.json").write_text("[1")
    with pytest.raises(DataError, match="is not JSON"):
        publish_files(archive, "torn.json", options=SourceOptions(format="json"))
    timeline = {"columns": {"event_time": "at", "user": {"field": "user", "type": "string"}}}
    timeline["timeline"] = {"session": "user"}
    with pytest.raises(UsageError, match="needs all of them"):
        publish_files(archive, clicks, mapping=timeline, stop=threading.Event())
    with pytest.raises(UsageError, match="a stage of their own"):
        publish_topic(archive, "foreign", mapping=timeline)


def test_a_timeline_is_built_of_all_files(folder: Path) -> None:
    archive = Lake("lake").create("clicks", spec=SPEC)
    for number in range(2):
        lines = [
            json.dumps({"user": f"u{i % 3}", "x": i, "y": 1, "choice": 0, "at": 1_780_000_000 + i})
            for i in range(30 * number, 30 * number + 30)
        ]
        (folder / f"{number}.ndjson").write_text("\n".join(lines) + "\n")
    mapping = {
        "columns": {
            "agent_id": "user",
            "observation": ["x", "y"],
            "action": "choice",
            "event_time": {"field": "at", "time": "epoch_s"},
        },
        "timeline": {"session": "agent_id", "last_step": "keep"},
    }
    report = publish_files(archive, "*.ndjson", mapping=mapping)
    assert (report.records, report.steps) == (60, 60)
    assert publish_files(archive, "*.ndjson", mapping=mapping).already == ["0.ndjson", "1.ndjson"]
    (folder / "2.ndjson").write_text("")
    assert publish_files(archive, "*.ndjson", mapping=mapping).records == 0
    (folder / "2.ndjson").write_text("bad\n")  # where one is new, a timeline needs all
    report = publish_files(archive, "*.ndjson", mapping=mapping)
    assert (report.records, report.steps, report.refused) == (61, 60, 1)
    assert ok("ingest", "--once", "--json").document["accepted"] == 60
    sql = "select count(distinct episode_id) as n, max(step) as last from clicks.steps"
    assert ok("query", sql, "--json").document == [{"n": 3, "last": 19}]
