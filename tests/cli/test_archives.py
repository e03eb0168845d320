"""`replaylake archive`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import call, ok

SPEC = "observation: {type: box, shape: [2], low: -1, high: 1}\naction: {type: discrete, n: 3}\n"
SUITE = {
    "name": "near",
    "expectations": [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 2}}
    ],
}


def test_create_by_environment_and_show(folder: Path) -> None:
    assert "Created the archive cartpole" in ok("archive", "create", "cartpole", "--env", "CartPole-v1").out
    shown = ok("archive", "show", "cartpole", "--json").document
    assert shown["spec"]["environment"] == "CartPole-v1"
    assert (shown["steps"], shown["quarantined"], shown["first_date"]) == (0, 0, None)
    assert Path(shown["tables"]["steps"]).resolve() == folder / "lake" / "cartpole" / "steps"
    assert "box of 4 float32" in ok("archive", "show", "cartpole").out


def test_create_by_spec_and_suite(folder: Path) -> None:
    (folder / "arm.yaml").write_text(SPEC)
    (folder / "rules.json").write_text(json.dumps(SUITE))
    made = ok("archive", "create", "arm", "--spec", "arm.yaml", "--suite", "rules.json", "--json").document
    assert (made["name"], made["suite"]["name"]) == ("arm", "near")
    shown = ok("archive", "show", "arm").out
    assert "near (1 rules)" in shown and "one of 3, from 0 to 2" in shown


def test_every_kind_of_space_is_described(folder: Path) -> None:
    (folder / "all.yaml").write_text(
        "observation: {type: dict, spaces: {pixels: {type: box, shape: [8], dtype: uint8, low: 0, high: 9},"
        " mode: {type: multi_binary, shape: [3]}, said: {type: text, max_length: 9}}}\n"
        "action: {type: tuple, spaces: [{type: discrete, n: 2}, {type: multi_discrete, nvec: [2, 3]}]}\n"
        "extras: {speed: {type: scalar, dtype: float64}}\nreward_range: [-1, 1]\n"
    )
    ok("archive", "create", "all", "--spec", "all.yaml")
    shown = ok("archive", "show", "all").out
    for part in ("pixels: box of 8 uint8, 0 to 9", "3 zeros and ones", "text of up to 9", "of 2, 3"):
        assert part in shown
    assert "extra speed" in shown and "-1 to 1" in shown


def test_list(lake: Path) -> None:
    row = ok("archive", "list").out.splitlines()[-1].split()
    assert row == ["cartpole", "CartPole-v1", "200", "3", "2026-03-01", "2026-03-03"]
    assert [held["name"] for held in ok("archive", "list", "--json").document] == ["cartpole"]


@pytest.mark.parametrize(
    ("spec", "suite", "said"),
    [
        ("observation: {type: box, shape: [-1]}\naction: {type: discrete, n: 2}", None, ["-1", "shape"]),
        (SPEC.replace("n: 3", "n: 0"), None, ["action", "(given: 0)"]),
        (SPEC + "name: leg\n", None, ["'leg'", "'arm'"]),
        (SPEC + "colour: red\n", None, ["colour", "'red'"]),
        ("observation: {type: box", None, ["arm.yaml", "not YAML at line"]),
        ("- 1\n", None, ["arm.yaml", "list"]),
        (SPEC, "{", ["rules.json", "not JSON"]),
        (
            SPEC,
            json.dumps({"name": "x", "expectations": [{"type": "expect_nothing", "kwargs": {}}]}),
            ["expect_nothing"],
        ),
        (SPEC, json.dumps(SUITE).replace("reward", "rewardd"), ["rewardd"]),
    ],
    ids=["shape", "action", "name", "key", "yaml", "list", "json", "rule", "column"],
)
def test_what_cannot_be_is_named_and_leaves_nothing(
    spec: str, suite: str | None, said: list[str], folder: Path
) -> None:
    (folder / "arm.yaml").write_text(spec)
    (folder / "rules.json").write_text(suite or "{}")
    outcome = call(
        "archive", "create", "arm", "--spec", "arm.yaml", *(("--suite", "rules.json") if suite else ())
    )
    assert outcome.code == 2
    assert all(part in outcome.err for part in said), outcome.err
    assert outcome.err.count("\n") <= 2 and not (folder / "lake").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Arm", "--env", "CartPole-v1"), "'Arm'"),
        (("arm",), "neither was given"),
        (("arm", "--env", "CartPole-v1", "--spec", "x.yaml"), "both were given"),
        (("arm", "--env", "Nope-v0"), "'Nope-v0'"),
        (("arm", "--spec", "gone.yaml"), "'gone.yaml'"),
        (("arm", "--spec", "."), "cannot be read"),
        (("arm", "--env", "CartPole-v1", "--suite", "gone.json"), "'gone.json'"),
    ],
    ids=str,
)
def test_wrong_use(words: tuple[str, ...], said: str, folder: Path) -> None:
    outcome = call("archive", "create", *words)
    assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert not (folder / "lake").exists()


def test_a_taken_name(lake: Path) -> None:
    assert call("archive", "create", "cartpole", "--env", "CartPole-v1").code == 2


@pytest.mark.parametrize("place", ["file/lake", "/proc/lake"])
def test_a_lake_that_cannot_be_written(place: str, folder: Path) -> None:
    (folder / "file").touch()
    outcome = call("archive", "create", "arm", "--env", "CartPole-v1", "--lake", place)
    assert outcome.code == 1 and place in outcome.err


def test_a_missing_lake_and_an_unknown_archive(lake: Path) -> None:
    assert "archive create" in call("archive", "list", "--lake", "gone").err
    outcome = call("archive", "show", "cartpol", "--json")
    assert outcome.code == 2
    error = outcome.document["error"]
    assert error["kind"] == "NotFoundError"
    assert "There are: cartpole." in error["message"] and "Did you mean 'cartpole'?" in error["hint"]


def test_a_spec_grows(folder: Path) -> None:
    (folder / "arm.yaml").write_text(SPEC)
    ok("archive", "create", "arm", "--spec", "arm.yaml")
    would = ok("archive", "evolve", "arm", "--add", "shop=text", "--dry-run")
    assert would.out == "arm would change:\n  a new column shop: text of up to 1,000,000 characters\n"
    assert ok("archive", "show", "arm", "--json").document["spec"]["extras"] == {}

    done = ok("archive", "evolve", "arm", "--add", "shop=text", "--add", "n={type: discrete, n: 9}", "--json")
    assert sorted(done.document["changes"]) == ["extras.n", "extras.shop"]
    assert sorted(ok("archive", "show", "arm", "--json").document["spec"]["extras"]) == ["n", "shop"]
    grown = SPEC + "extras: {shop: {type: text}, n: {type: discrete, n: 9}}\n"
    (folder / "arm.yaml").write_text(grown)
    assert "is so already" in ok("archive", "evolve", "arm", "--spec", "arm.yaml").out

    (folder / "arm.yaml").write_text(f"{grown}hot_days: 7\nexclusive_ends: true\n")
    changed = ok("archive", "evolve", "arm", "--spec", "arm.yaml").out
    assert changed == "arm changed:\n  exclusive_ends: true (it was false)\n  hot_days: 7\n"
    (folder / "arm.yaml").write_text(grown)
    changed = ok("archive", "evolve", "arm", "--spec", "arm.yaml").out
    assert "  hot_days: not set any more (it was 7)\n" in changed


@pytest.mark.parametrize("kind", ["bool", "int64", "float64", "string", "timestamp"])
def test_a_plain_column_is_added_by_the_name_of_its_type(kind: str, folder: Path) -> None:
    (folder / "arm.yaml").write_text(SPEC)
    ok("archive", "create", "arm", "--spec", "arm.yaml")
    assert (
        ok("archive", "evolve", "arm", "--add", f"x={kind}").out
        == f"arm changed:\n  a new column x: {kind}\n"
    )
    held = ok("archive", "show", "arm", "--json").document["spec"]["extras"]
    assert held == {"x": {"type": "scalar", "dtype": kind}}


def test_the_versions_of_an_archive(lake: Path) -> None:
    shown = ok("archive", "versions", "cartpole")
    newest, oldest = (line.split() for line in shown.out.splitlines()[2:])
    assert (newest[0], *newest[3:]) == ("1", "ingest", "+200", "+3", "yes")
    assert (oldest[0], *oldest[3:]) == ("0", "create", "yes")
    found = ok("archive", "versions", "cartpole", "--json").document
    assert [(one["version"], one["done"], one["rows_added"]) for one in found] == [
        (1, "ingest", 200),
        (0, "create", 0),
    ]
    refused = ok("archive", "versions", "cartpole", "--table", "quarantine", "--limit", "1")
    assert refused.out.splitlines()[-1].split()[3:5] == ["ingest", "+3"]
    assert refused.err == "Shown: the newest 1. --limit gives more.\n"
    assert call("archive", "versions", "cartpole", "--limit", "0").code == 2
    assert "There is no archive 'nope'" in call("archive", "versions", "nope").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "by --add or by --spec"),
        (("--add", "shop=text", "--spec", "arm.yaml"), "by --add or by --spec"),
        (("--add", "shop"), "not COLUMN=SPACE"),
        (("--add", "shop={"), "not YAML"),
        (("--add", "shop=colour"), "'shop' cannot be of the type 'colour'"),
        (("--add", "shop=[1]"), "'shop' cannot be of the type '[1]'"),
        (("--add", "shop={n: 2}"), "'shop' cannot be of the type '{n: 2}'"),
        (("--add", "shop={type: discrete}"), "extras.shop.discrete.n is missing"),
        (("--spec", "other.yaml", "--dry-run"), "observation of 'arm' cannot change"),
        (("--add", "../x=text"), "not lower-case letters"),
        (("--add", "reward=text"), "name of a column of the step"),
        (("--spec", "other.yaml"), "observation of 'arm' cannot change"),
    ],
    ids=str,
)
def test_a_spec_that_cannot_grow_so_stays(words: tuple[str, ...], said: str, folder: Path) -> None:
    (folder / "arm.yaml").write_text(SPEC)
    (folder / "other.yaml").write_text(SPEC.replace("[2]", "[3]"))
    ok("archive", "create", "arm", "--spec", "arm.yaml")
    before = ok("archive", "show", "arm", "--json").document
    outcome = call("archive", "evolve", "arm", *words)
    assert outcome.code == 2
    assert said in outcome.err, outcome.err
    assert ok("archive", "show", "arm", "--json").document == before
