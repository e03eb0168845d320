"""SQL reads the lake's own files and nothing else, and says what is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from lake import Lake
from schemas.archive_spec import ArchiveSpec
from schemas.errors import QueryError
from schemas.spaces import Box, Dict, Discrete, Scalar, Tuple
from schemas.step import quarantine_schema, steps_schema
from tests.lake.archives import DAY, SPEC, append, make, numbers, refused_rows, row

NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, archive = make(tmp_path)
    append(archive, *(row(step, action_log_prob=-0.5) for step in range(3)), row(0, episode_id="f"))
    return lake


def test_a_result_comes_in_each_form(lake: Lake) -> None:
    def query() -> str:
        return "select episode_id, count(*) as n from demo.steps group by 1 order by 1"

    assert lake.sql(query()).rows() == [("e", 3), ("f", 1)]
    assert lake.sql(query()).columns == ["episode_id", "n"]
    assert lake.sql(query()).arrow().to_pydict() == {"episode_id": ["e", "f"], "n": [3, 1]}
    assert lake.sql(query()).pl().equals(pl.DataFrame({"episode_id": ["e", "f"], "n": [3, 1]}))
    assert lake.sql(query()).df()["n"].tolist() == [3, 1]
    assert "episode_id" in repr(lake.sql(query()))


def test_times_come_in_each_form_and_in_utc(lake: Lake) -> None:
    query = (
        "select event_time, {'at': event_time} as held, event_time::varchar as said from demo.steps limit 1"
    )
    assert lake.sql(query).rows() == [(DAY, {"at": DAY}, "2026-01-01 12:00:00+00")]
    assert lake.sql(query).pl()["event_time"].to_list() == [DAY]
    assert lake.sql(query).df()["event_time"].tolist() == [DAY]
    assert lake.sql("select timestamptz '2026-01-01 00:00'").rows() == [(datetime(2026, 1, 1, tzinfo=UTC),)]
    assert numbers(lake, "select event_time::date from demo.steps limit 1") == [date(2026, 1, 1)]


def test_the_views_have_the_columns_of_the_tables(lake: Lake) -> None:
    shown = "action_probability"
    assert lake.sql("from demo.steps").columns == [*steps_schema(SPEC).names, shown]
    assert lake.sql("from demo.transitions").columns == [*steps_schema(SPEC).names, shown]
    assert lake.sql("from demo.quarantine").columns == [*quarantine_schema(SPEC).names, shown]
    assert numbers(lake, "select action_probability from demo.steps limit 1") == [pytest.approx(0.6065307)]


def test_values_come_by_parameters(lake: Lake) -> None:
    assert lake.sql("select count(*) from demo.steps where step > ?", [0]).rows() == [(2,)]
    assert lake.sql("select $name", {"name": "'; drop"}).rows() == [("'; drop",)]
    with pytest.raises(QueryError, match="a parameter 1 without a name, and no value"):
        lake.sql("select ?").rows()


def test_an_archive_without_rows_has_views(tmp_path: Path) -> None:
    lake, _ = make(tmp_path)
    for view in ("steps", "transitions", "quarantine"):
        assert lake.sql(f"select * from demo.{view}").rows() == []
    assert lake.sql("from demo.steps").arrow().schema.field("observation").type == pa.list_(pa.float32())


@pytest.mark.parametrize(
    "name", ["select", "order", "table", "group", "steps", "snapshot", "user", "default"]
)
def test_an_archive_may_be_named_like_a_keyword(tmp_path: Path, name: str) -> None:
    lake, archive = make(tmp_path, SPEC.model_copy(update={"name": name}))
    append(archive, row(1))
    assert numbers(lake, f'select step from "{name}".steps') == [1]
    assert numbers(lake, f'select step from "{name}".transitions') == []
    assert archive.snapshot().rows == 1


def test_several_archives_join(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    other = lake.create("other", spec=SPEC.model_copy(update={"name": "other"}))
    append(archive, row(1), row(2))
    append(other, row(2))
    assert numbers(lake, "select step from demo.steps join OTHER.steps as o using (episode_id, step)") == [2]


def test_an_extra_may_be_named_like_a_column_of_ours(tmp_path: Path) -> None:
    extras = {name: Scalar(dtype="int64") for name in ("following_step", "turns", "select", "current_date")}
    spec = ArchiveSpec(name="demo", observation=Discrete(n=9), action=Discrete(n=2), extras=extras)
    lake, archive = make(tmp_path, spec)
    append(archive, *(row(n, observation=n, following_step=7, turns=8, select=9) for n in range(2)))
    query = 'select following_step, turns, "select", next_observation from demo.transitions'
    assert lake.sql(query).rows() == [(7, 8, 9, 1)]


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_text('{secret}')",
        "select * from read_csv('{secret}')",
        "select * from read_parquet('{folder}/demo/steps/**/*.parquet')",
        "select * from '{secret}'",
        "select * from glob('{folder}/*')",
        "select * from parquet_metadata('{secret}')",
        "select * from mine",  # a frame of the caller's own
        "select load_extension('httpfs')",
        "select * from read_text('http://127.0.0.1:1/')",
    ],
)
def test_nothing_outside_is_read(lake: Lake, tmp_path: Path, query: str) -> None:
    mine = pl.DataFrame({"secret": [1]})
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        lake.sql(query.format(secret=secret, folder=lake.folder) + " -- demo.steps").rows()
    assert mine.height == 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("delete from demo.steps", "The query is DELETE, and one SELECT is expected"),
        ("copy demo.steps to 'out.csv'", "COPY"),
        ("create table t as select 1", "CREATE"),
        ("select 1; drop view demo.steps", "SELECT, DROP"),
        ("set enable_external_access = true", "SET"),
        ("attach 'x.db'", "ATTACH"),
        ("install httpfs", "LOAD"),
    ],
)
def test_nothing_is_written(lake: Lake, query: str, says: str) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        lake.sql(query)
    assert "written by ingest" in str(caught.value)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("selec 1", "syntax error"),
        ("", "^One SELECT is expected, and there is none.$"),
        ("-- only a comment", "^One SELECT is expected, and there is none.$"),
        ("select 1; select 2", "^One SELECT is expected, and there are two.$"),
        (
            "from (pivot demo.steps on step using count(*))",
            r"PIVOT has to say which columns.*on column in \(",
        ),
        (f"select {'+'.join(['1'] * 900)}", "^The query is nested too deeply"),
        (f"select {'+'.join(['1'] * 2000)}", "^The query is nested too deeply"),
        ("select 1; select 2; select 3", "^One SELECT is expected, and there are 3.$"),
        ("select nofunction(1)", r"^(?!.*demo\.steps)Scalar Function with name nofunction does not exist"),
        ("from nofunction(1)", r"^(?!.*demo\.steps)nofunction\(\) is not to be had in FROM"),
        ("with c as (select 1 a) select b from c", r'^(?!.*demo\.steps).*"b" not found'),
        ("select other.x from demo.steps", r'"other" not found.*There are the views demo\.steps'),
        ("select * from nothing", r"nothing.*There are the views demo\.steps, demo\.transitions, demo\.quar"),
        ("select * from steps", r"There are the views demo\.steps"),
        ("select nothing from demo.steps", r"\"nothing\" not found"),
        ("select reward + 'a' from demo.steps", "Conversion|convert"),
    ],
)
def test_what_is_wrong_is_said(lake: Lake, query: str, says: str) -> None:
    with pytest.raises(QueryError, match="(?s)" + says):
        lake.sql(query).rows()


def test_of_many_views_some_are_named(lake: Lake) -> None:
    for name in ("alpha", "beta", "gamma"):
        lake.create(name, spec=SPEC.model_copy(update={"name": name}))
    with pytest.raises(QueryError, match=r"views alpha\.steps, .* and 10 others: show tables") as caught:
        lake.sql("from nothing")
    assert str(caught.value).count(", ") == 9
    with pytest.raises(
        QueryError, match=r"Did you mean 'gamma\.steps'\? There are the views gamma\.steps"
    ) as caught:
        lake.sql("from gamma.stepss")
    assert "alpha" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "parameters", "says"),
    [
        ("select $n", None, r"^No value is given for \$n. Give it: --param n=VALUE.$"),
        ("select $n", {"m": 1}, r"^No value is given for \$n."),
        ("from demo.steps at (version => $v)", None, r"^No value is given for \$v."),
        ("select 1", {"n": 5}, r"^The query has no \$n. .*--param n=VALUE.$"),
        ("select $m", {"m": 1, "n": 5}, r"^The query has no \$n. .*--param n=VALUE.$"),
        ("select 1", [5], "^More values are given than the query takes.$"),
        ("select ?", [5, 6], "^More values are given than the query takes.$"),
    ],
)
def test_parameters_that_do_not_fit_are_named(lake: Lake, query: str, parameters: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        lake.sql(query, parameters)


def test_internal_views_are_not_shown(tmp_path: Path) -> None:
    lake, _ = make(tmp_path)  # tables without rows stand beside the views
    views = ["episodes", "quarantine", "quarantine_all", "steps", "transitions"]
    assert lake.sql("show tables").rows() == [("demo", view) for view in views]


@pytest.mark.parametrize(
    "query",
    [
        "explain select * from demo.steps",
        "explain analyze from demo.steps",
        "explain (analyze, format json) select * from demo.steps",
        "explain (from demo.steps)",
        "explain (table demo.steps)",
        "explain ((select step from demo.steps) union (select 9))",
        "explain analyze (with a as (from demo.steps) from a)",
    ],
)
def test_a_query_may_be_explained(lake: Lake, query: str) -> None:
    assert "PARQUET" in str(lake.sql(query).rows()).upper()


def test_quarantine_is_a_view(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    rows: list[dict[str, Any]] = [
        {"reasons": ["undecodable"], "detail": "why", "raw": b"\x00{", "date": "2026-01-01"},
        {"reasons": ["finite(reward)", "x"], "step": 1, "action_log_prob": 1e6, "date": "2026-01-02"},
    ]
    archive.table("quarantine").append(refused_rows(SPEC, *rows), {}, {})
    query = "select unnest(reasons) as reason, count(*) from demo.quarantine group by 1 order by 1"
    assert lake.sql(query).rows() == [("finite(reward)", 1), ("undecodable", 1), ("x", 1)]
    found = lake.sql("select raw, action_probability, date from demo.quarantine order by date").rows()
    assert found == [(b"\x00{", None, "2026-01-01"), (None, float("inf"), "2026-01-02")]


def test_images_are_reached_by_sql(tmp_path: Path) -> None:
    spec = ArchiveSpec(name="demo", observation=Box(shape=(2, 2), dtype="uint8"), action=Discrete(n=2))
    lake, archive = make(tmp_path, spec)
    append(archive, row(0, observation=b"\x00\xff\x01\x02"))
    assert numbers(lake, "select observation from demo.steps") == [b"\x00\xff\x01\x02"]
    values = ", ".join(f"image_value(observation, {place})" for place in (0, 1, 3, 4, -1, -2))
    query = f"select octet_length(observation), {values}, image_value(next_observation, 0) from demo.steps"
    assert lake.sql(query).rows() == [(4, 0, 255, 2, None, None, None, None)]


def test_fields_of_a_space_are_reached_by_sql(tmp_path: Path) -> None:
    inner = Dict(spaces={"wind": Box(shape=(2,)), "order": Discrete(n=3)})
    space = Dict(spaces={"position": Box(shape=(1,)), "select": Discrete(n=9), "weather": inner})
    spec = ArchiveSpec(name="demo", observation=space, action=Tuple(spaces=(Discrete(n=2), Box(shape=(1,)))))
    lake, archive = make(tmp_path, spec)

    def seen(value: int) -> dict[str, Any]:
        weather = {"wind": [0.5, value], "order": 2}
        return {"position": [value], "select": value, "weather": weather}

    append(archive, *(row(n, observation=seen(n), action={"item_0": 1, "item_1": [0.25]}) for n in range(2)))
    query = """
        select observation.position[1], observation."select", observation.weather.wind[2],
            observation.weather."order", next_observation.position[1], action.item_0, action.item_1[1]
        from demo.transitions where observation.position[1] < 1
    """
    assert lake.sql(query).rows() == [(0.0, 0, 0.0, 2, 1.0, 1, 0.25)]
    day = "select observation.position[1] from demo.transitions where date = '2026-01-01'"
    append(archive, row(2, observation=seen(2), action={"item_0": 0, "item_1": [0.0]}, event_time=NEXT_DAY))
    assert lake.sql(day + " order by 1").rows() == [(0.0,), (1.0,)]
