"""Settings: flags over the environment over the file over defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import call, ok
from tests.object_store import S3Place

SOURCES = ["default", "file", "environment", "flag before", "flag after"]


@pytest.mark.parametrize("highest", range(len(SOURCES)), ids=SOURCES)
def test_precedence(highest: int, folder: Path) -> None:
    given = [f"./{source.replace(' ', '-')}" for source in SOURCES]
    words: list[str] = []
    environment = {}
    if highest >= 1:
        (folder / "replaylake.yaml").write_text(f"lake: {given[1]}\n")
    if highest >= 2:
        environment["REPLAYLAKE_LAKE"] = given[2]
    if highest >= 3:
        words += ["--lake", given[3]]
    words.append("config")
    if highest >= 4:
        words += ["--lake", given[4]]
    found = {setting["name"]: setting for setting in ok(*words, "--json", **environment).document}
    origins = ["default", "file replaylake.yaml", "environment REPLAYLAKE_LAKE", "flag --lake", "flag --lake"]
    assert found["lake"]["value"] == ("./lake" if highest == 0 else given[highest])
    assert found["lake"]["origin"] == origins[highest]
    assert found["stream"]["origin"] == "default"


def test_config_is_a_table_for_people() -> None:
    lines = ok("config", REPLAYLAKE_FLUSH_ROWS="1234567").out.splitlines()
    row = next(line for line in lines if line.startswith("flush_rows"))
    assert row.split()[:4] == ["flush_rows", "1,234,567", "environment", "REPLAYLAKE_FLUSH_ROWS"]


def test_a_password_is_not_shown() -> None:
    shown = ok("config", "--stream", "kafka://me:secret@there:9092", "--json").out
    assert "secret" not in shown and "kafka://me:***@there:9092" in shown


@pytest.mark.parametrize(
    ("words", "environment", "file", "said"),
    [
        (("config", "--log-level", "loud"), {}, "", ["log_level", "'loud'", "flag --log-level"]),
        (("ingest", "--once", "--flush-rows", "0"), {}, "", ["flush_rows", "0", "flag --flush-rows"]),
        (("config",), {"REPLAYLAKE_PARTITIONS": "x"}, "", ["'x'", "environment REPLAYLAKE_PARTITIONS"]),
        (("config",), {}, "flush_seconds: -1", ["flush_seconds", "-1", "file replaylake.yaml"]),
        (("config",), {}, "colour: red", ["no setting 'colour'", "replaylake.yaml", "flush_rows"]),
        (("config",), {}, "lake: [", ["replaylake.yaml", "does not read"]),
        (("config",), {}, "- a\n- b", ["replaylake.yaml", "does not read"]),
        (("config",), {"REPLAYLAKE_STREAM_OPTIONS": "{a"}, "", ["REPLAYLAKE_STREAM_OPTIONS is no JSON"]),
        (("config",), {}, "stream_options: {a: [b]}", ["stream_options.a", "value is not shown"]),
        (("config",), {"REPLAYLAKE_CONFIG": "gone.yaml"}, "", ["'gone.yaml'", "REPLAYLAKE_CONFIG"]),
        (("publish", "a", "-", "--partitions", "many"), {}, "", ["--partitions", "many"]),
    ],
    ids=str,
)
def test_a_bad_value_is_named_with_where_it_comes_from(
    words: tuple[str, ...], environment: dict[str, str], file: str, said: list[str], folder: Path
) -> None:
    if file:
        (folder / "replaylake.yaml").write_text(file)
    outcome = call(*words, **environment)
    assert outcome.code == 2
    assert all(part in outcome.err for part in said), outcome.err
    assert "Traceback" not in outcome.err


def test_an_option_of_the_stream_may_be_a_number_and_is_not_shown(folder: Path) -> None:
    (folder / "replaylake.yaml").write_text("stream_options: {timeout: 5, sasl.password: 123}")
    (shown,) = [one for one in ok("config", "--json").document if one["name"] == "stream_options"]
    assert shown["value"] == {"timeout": "**********", "sasl.password": "**********"}
    (folder / "replaylake.yaml").write_text("stream_options: {sasl.password: [hunter2]}")
    assert "hunter2" not in call("config").err


def test_a_flag_stands_over_a_bad_value_of_the_environment() -> None:
    ok("config", "--lake", "x", REPLAYLAKE_LAKE="y")
    outcome = call("ingest", "--once", "--flush-rows", "10", REPLAYLAKE_FLUSH_ROWS="bad")
    assert "There is no lake" in outcome.err


def test_json_may_stand_before_the_verb() -> None:
    assert json.loads(ok("--json", "config").out)[0]["name"] == "lake"


def test_a_lake_on_s3_is_reached_by_settings_and_shows_no_secret(folder: Path, s3_place: S3Place) -> None:
    written = [f"lake: {s3_place.url}", "lake_options:"]
    written += [f"  {name}: '{value}'" for name, value in s3_place.options.items()]
    (folder / "replaylake.yaml").write_text("\n".join(written))
    ok("archive", "create", "cartpole", "--env", "CartPole-v1")
    shown = ok("archive", "show", "cartpole", "--json")
    assert shown.document["tables"]["steps"] == f"{s3_place.url}/cartpole/steps"
    secret = s3_place.options["aws_secret_access_key"]
    assert secret not in ok("config", "--json").out + ok("config").out
    refused = call("ingest", "--once")
    assert refused.code == 2 and "no folder for the embedded stream" in refused.err
