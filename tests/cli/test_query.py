"""`replaylake query`."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from replaylake.cli.app import app
from replaylake.cli.result_table import result_table
from tests.cli.command import call, ok

KINDS = (
    "select 1 i, 2.5 d, 'nan'::double f, 'a,\"b' t, true b, null n, date '2026-01-02' dy, [1.5, 2] l, "
    "{'x': 1} s, '\\x01'::blob c, sum(3) total, timestamptz '2026-01-02 03:04:05.5+00' ts"
)


def test_a_table_for_people(lake: Path) -> None:
    shown = ok("query", "select date, count(*) as steps from cartpole.steps group by date order by date")
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["date", "steps"]
    assert lines[2:] == [["2026-03-01", "70"], ["2026-03-02", "70"], ["2026-03-03", "60"]]
    assert shown.err == ""


def test_a_long_table_is_cut_and_says_so(lake: Path) -> None:
    shown = ok("query", "select step from cartpole.steps")
    assert len(shown.out.splitlines()) == 52
    assert shown.err == "Shown: the first 50 of 200 rows. --format csv or json gives all.\n"


def test_columns_that_do_not_fit_are_named() -> None:
    rows = pa.table({f"column_{index}": ["x" * 60, None] for index in range(10)})
    shown, note = result_table(rows.to_reader(), 110)
    assert [column.header.plain for column in shown.columns] == ["column_0", "column_1"]  # type: ignore[union-attr]
    assert "2 of 10 columns, without column_2" in note and "and others" in note


def test_values_in_a_table(lake: Path) -> None:
    shown = ok("query", KINDS).out.splitlines()[2]
    for value in ("2.5", "nan", "null", "2026-01-02 03:04:05.500", '{"x": 1}', "1 bytes", "[1.5, 2]"):
        assert value in shown


@pytest.mark.parametrize("words", [("--format", "json"), ("--json",)], ids=str)
def test_json(words: tuple[str, ...], lake: Path) -> None:
    assert ok("query", KINDS, *words).document == [
        {
            "i": 1,
            "d": 2.5,
            "f": "NaN",
            "t": 'a,"b',
            "b": True,
            "n": None,
            "dy": "2026-01-02",
            "l": [1.5, 2],
            "s": {"x": 1},
            "c": "AQ==",
            "total": 3,
            "ts": "2026-01-02T03:04:05.500000+00:00",
        }
    ]
    assert ok("query", "select 1 a where false", *words).document == []


def test_csv(lake: Path) -> None:
    names, values = csv.reader(io.StringIO(ok("query", KINDS, "--format", "csv").out))
    assert names == ["i", "d", "f", "t", "b", "n", "dy", "l", "s", "c", "total", "ts"]
    assert values[:7] == ["1", "2.5", "NaN", 'a,"b', "true", "", "2026-01-02"]
    assert json.loads(values[8]) == {"x": 1}


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "arrow", "parquet"])
def test_files(ending: str, lake: Path, folder: Path) -> None:
    file = folder / f"out.{ending}"
    file.write_text("old")
    outcome = ok("query", "select * from cartpole.steps order by all", "--output", file)
    assert (outcome.out, outcome.err) == ("", f"Wrote 200 rows to {file}.\n")
    assert [entry.name for entry in folder.iterdir()] == [file.name]
    if ending == "csv":
        assert len(file.read_text().splitlines()) == 201
    elif ending == "json":
        assert len(json.loads(file.read_text())) == 200
    elif ending == "ndjson":
        assert [json.loads(line)["step"] for line in file.read_text().splitlines()].count(0) == 20
    elif ending == "arrow":
        with pa.ipc.open_file(file) as reader:
            assert reader.read_all().num_rows == 200
    else:
        assert pq.read_table(file).num_rows == 200


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_bytes_on_a_pipe(form: str, lake: Path) -> None:
    result = CliRunner().invoke(app, ["query", "select step from cartpole.steps", "--format", form])
    read = pa.ipc.open_stream(result.stdout_bytes).read_all if form == "arrow" else None
    rows = read() if read else pq.read_table(pa.BufferReader(result.stdout_bytes))
    assert rows.num_rows == 200


def test_parameters(lake: Path) -> None:
    sql = "select count(*) n from cartpole.steps where date = $day and step < $n and episode_id <> $e"
    words = ("--param", "day=2026-03-01", "--param", "n=2", "--param", "e='; drop table x")
    assert call("query", sql, *words).code == 2  # a quote that does not end is no YAML
    words = ("--param", "day=2026-03-01", "--param", "n=2", "--param", 'e="\'; drop table x"')
    assert ok("query", sql, *words, "--json").document == [{"n": 14}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("selec 1",), 'syntax error at or near "selec"'),
        (("select x from cartpole.steps",), 'column "x" not found'),
        (("select 1 from cartpol.steps",), "Did you mean 'cartpole'?"),
        (("select rewrad from cartpole.steps",), "Did you mean reward?"),
        (("select 1; select 2",), "One SELECT is expected, and there are two."),
        (("select 1", "--memory", "1KB"), "The query needs more memory"),
        (("select 1", "--param", "n=5"), "no $n"),
        ((".tables",), "belong to the prompt"),
        (("drop table cartpole.steps",), "one SELECT is expected"),
        (("select $n",), "--param n=VALUE"),
        (("select $n", "--param", "n"), "'n' is not name=value"),
        (("select $n", "--param", "n=1", "--param", "n=2"), "'n' is given twice"),
        (("select $n", "--param", "n={"), "'n={' is not YAML"),
        (("select 1", "--format", "yaml"), "'yaml' is not one of"),
        (("select 1", "--format", "csv", "--json"), "--json and --format csv"),
        (("select 1", "--output", "x.txt"), "--format"),
        (("select 1", "--output", "x.csv", "--format", "table"), "--format csv"),
        (("select 1", "--output", ".", "--format", "csv"), "is a folder"),
        (("select 1 a, 2 a", "--format", "json"), "Two columns"),
        (("select interval 1 day", "--output", "x.parquet"), "Cast the column"),
        (("select 'x'::int", "--output", "x.csv"), "Could not convert"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_use(words: tuple[str, ...], said: str, lake: Path, folder: Path) -> None:
    outcome = call("query", *words)
    assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert "LINE" not in outcome.err and outcome.err.count("\n") <= 2
    assert "error" in outcome.document if "--json" in words else outcome.out == ""
    assert not list(folder.iterdir())


@pytest.mark.parametrize("place", ["file/x.csv", "gone/x.csv", "/proc/x.csv"])
def test_a_place_that_cannot_be_written(place: str, lake: Path, folder: Path) -> None:
    (folder / "file").touch()
    outcome = call("query", "select 1", "--output", place)
    assert outcome.code == 1 and place in outcome.err


def test_a_device_is_written_and_not_replaced(lake: Path, folder: Path) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    ok("query", "select 1 as a", "--format", "csv", "--output", "pipe")
    assert os.read(reader, 100) == b"a\n1\n"
    os.close(reader)
    assert (folder / "pipe").is_fifo()


def test_a_link_stays_a_link(lake: Path, folder: Path) -> None:
    (folder / "link.csv").symlink_to("real.csv")
    ok("query", "select 1 as a", "--output", "link.csv")
    assert (folder / "link.csv").is_symlink() and (folder / "real.csv").read_text() == "a\n1\n"
