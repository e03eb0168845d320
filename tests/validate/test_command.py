"""`replaylake validate run | init | audit`, from good steps to what is wrong with others."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import yaml

from lake import Lake
from replaylake import audit_history
from schemas.steps import Steps
from tests.cli.command import Outcome, call, ok
from tests.validate.samples import BELOW_TWO, RULE, SPEC, change, played
from validation import Suite

WEAK = {"name": "weak", "expectations": [{**RULE, "severity": "warning"}]}
EASY = {
    "name": "easy",
    "expectations": [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "a", "value_set": [1, 2]}}
    ],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder with some suites, and no setting from outside."""
    for name in [name for name in os.environ if name.startswith("REPLAYLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for suite in (BELOW_TWO, WEAK, EASY):
        (tmp_path / f"{str(suite['name']).replace(' ', '_')}.json").write_text(json.dumps(suite))
    yield tmp_path
    logger = logging.getLogger("replaylake")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def land(steps: pa.Table) -> None:
    """Append steps to the archive `pole`, which is made where it is not there."""
    lake = Lake("lake")
    archive = lake.archive("pole") if "pole" in lake.names() else lake.create("pole", spec=SPEC)
    archive.append(Steps(steps, SPEC))


def refused(outcome: Outcome, *words: str) -> None:
    """Expect that the command was used wrongly, and that it says so."""
    assert outcome.code == 2, (outcome.out, outcome.err)
    for word in words:
        assert word in outcome.err


# run


def test_an_archive_is_judged_by_a_suite() -> None:
    land(change(played(1), 3, reward=5.0))
    outcome = call("validate", "run", "pole", "--suite", "below_two.json")
    assert outcome.code == 1
    assert "not met" in outcome.out
    assert "reward max_value=2" in outcome.out
    assert f"1 of {played(1).num_rows}" in outcome.out
    assert "0 of 1 expectations of below two are met by 400 rows." in outcome.err
    assert ok("validate", "run", "pole", "--suite", "weak.json").out.count("not met") == 1
    assert ok("validate", "run", "pole", "--suite", "below_two.json", "--where", "reward < 2").code == 0


def test_the_document_is_that_of_great_expectations() -> None:
    land(change(played(1), 3, reward=5.0))
    outcome = call(
        "validate", "run", "pole", "--suite", "below_two.json", "--json", "--output", "result.json"
    )
    assert outcome.code == 1
    document = outcome.document
    assert json.loads(Path("result.json").read_text()) == document
    assert (document["success"], document["statistics"]["evaluated_expectations"]) == (False, 1)
    assert document["results"][0]["result"]["partial_unexpected_index_list"] == [3]
    told = {}
    for form in ("BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"):
        one = call("validate", "run", "pole", "--suite", "below_two.json", "--json", "--result-format", form)
        told[form] = set(one.document["results"][0]["result"])
    assert told["BOOLEAN_ONLY"] < told["BASIC"] < told["SUMMARY"] < told["COMPLETE"]


def test_the_archives_own_suite_is_meant_where_none_is_given() -> None:
    land(played(1))
    refused(call("validate", "run", "pole"), "has no suite", "validate init pole --apply")
    Lake("lake").archive("pole").change_suite(WEAK)
    assert ok("validate", "run", "pole", "--json").document["suite_name"] == "weak"


def test_files_of_each_kind_are_judged_without_a_lake() -> None:
    rows = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
    pq.write_table(rows, "rows.parquet")
    pyarrow.csv.write_csv(rows, "rows.csv")
    pyarrow.feather.write_feather(rows, "rows.arrow")
    with pa.OSFile("rows.feather", "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    for name in ("rows.ndjson", "rows.jsonl"):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    for file in ("rows.parquet", "rows.csv", "rows.arrow", "rows.feather", "rows.ndjson", "rows.jsonl"):
        outcome = call("validate", "run", file, "--suite", "easy.json", "--json")
        assert (outcome.code, outcome.document["results"][0]["result"]["partial_unexpected_list"]) == (1, [3])
        assert call("validate", "run", file, "--suite", "easy.json", "--where", "b is not null").code == 0


def test_a_file_of_steps_is_judged_as_the_archives_steps() -> None:
    land(played(1))
    Lake("lake").archive("pole").change_suite(WEAK)
    Path("in_space.json").write_text(
        json.dumps(
            {"name": "in space", "expectations": [{"type": "expect_action_to_be_in_space", "kwargs": {}}]}
        )
    )
    pq.write_table(change(played(2), 0, action=7), "steps.parquet")
    assert "error" in call("validate", "run", "steps.parquet", "--suite", "in_space.json").out
    outcome = call(
        "validate", "run", "steps.parquet", "--suite", "in_space.json", "--archive", "pole", "--json"
    )
    assert outcome.document["results"][0]["result"]["unexpected_count"] == 1
    assert (
        ok("validate", "run", "steps.parquet", "--archive", "pole", "--json").document["suite_name"] == "weak"
    )
    refused(call("validate", "run", "pole", "--archive", "pole"), "Leave --archive out")
    refused(call("validate", "run", "steps.parquet", "--archive", "pool"), "no archive 'pool'")
    pq.write_table(pa.table({"a": [1]}), "other.parquet")
    refused(call("validate", "run", "other.parquet", "--archive", "pole"), "are no steps of 'pole'")


def test_an_archive_counts_more_than_a_file_of_its_name() -> None:
    land(played(1))
    Path("pole").write_text("not read")
    assert ok("validate", "run", "pole", "--suite", "weak.json", "--json").document["success"]
    refused(call("validate", "run", "./pole", "--suite", "weak.json"), "of no kind that is read")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "--suite", "weak.json"), ("no lake",)),
        (("nothing.parquet", "--suite", "weak.json"), ("no file 'nothing.parquet'",)),
        (("weak.json", "--suite", "weak.json"), ("of no kind that is read", ".parquet")),
        (("broken.parquet", "--suite", "weak.json"), ("does not read",)),
        (("good.csv",), ("No suite was given",)),
        (("good.csv", "--suite", "none.json"), ("no suite 'none.json'",)),
        (("good.csv", "--suite", "odd.json"), ("no such expectation", "expect_column_values_to_be_in_set")),
        (("good.csv", "--suite", "easy.json", "--where", "a >"), ("does not work",)),
        (("good.csv", "--suite", "easy.json", "--where", "z = 1"), ("does not work",)),
        (("good.csv", "--suite", "easy.json", "--result-format", "ALL"), ("BOOLEAN_ONLY",)),
        (("good.csv", "--suite", "easy.json", "--output", "."), ("is a folder",)),
    ],
)
def test_what_run_cannot_do_is_said(words: tuple[str, ...], said: tuple[str, ...]) -> None:
    Path("broken.parquet").write_text("PAR1 not")
    Path("good.csv").write_text("a,b\n1,2\n")
    odd = {"name": "odd", "expectations": [{"type": "expect_column_values_to_be_in_sett", "kwargs": {}}]}
    Path("odd.json").write_text(json.dumps(odd))
    refused(call("validate", "run", *words), *said)


def test_great_expectations_itself_judges_the_same_rows() -> None:
    land(change(played(1), 3, reward=5.0))
    words = ("validate", "run", "pole", "--suite", "below_two.json", "--data-docs", "docs")
    outcome = call(*words)
    assert outcome.code == 1
    assert "The Data Docs are in" in outcome.err
    pages = [path.read_text() for path in Path("docs").rglob("*.html")]
    assert any("below two" in page for page in pages)


def test_an_empty_file_and_a_column_that_is_not_there() -> None:
    Path("empty.csv").write_text("a,b\n")
    assert ok("validate", "run", "empty.csv", "--suite", "easy.json").code == 0
    Path("other.csv").write_text("c\n1\n")
    outcome = call("validate", "run", "other.csv", "--suite", "easy.json")
    assert outcome.code == 1
    assert "The table has no column 'a'" in outcome.out


def test_a_value_moves_no_cursor() -> None:
    pq.write_table(pa.table({"a": ["\x1b[2Jgone"]}), "rows.parquet")
    outcome = call("validate", "run", "rows.parquet", "--suite", "easy.json")
    assert "\x1b[2J" not in outcome.out
    assert "gone" in outcome.out


# init


def test_a_proposed_suite_is_met_by_what_it_was_read_off() -> None:
    land(played(1))
    document = ok("validate", "init", "pole", "--json").document
    assert Suite.from_dict(document).to_dict() == document
    outcome = ok("validate", "init", "pole", "--output", "rules.json")
    assert "column_elements_to_be_between" in outcome.out
    assert "stayed within bounds" in outcome.out
    assert json.loads(Path("rules.json").read_text()) == document
    assert ok("validate", "run", "pole", "--suite", "rules.json", "--json").document["success"]


def test_in_yaml_the_evidence_stands_above_each_rule() -> None:
    land(played(1))
    document = ok("validate", "init", "pole", "--output", "rules.yaml", "--json").document
    text = Path("rules.yaml").read_text()
    assert Suite.load("rules.yaml").to_dict() == document
    assert yaml.safe_load(text) == document
    assert text.count("\n# ") == len(document["expectations"])


def test_nothing_is_written_over_unasked() -> None:
    land(played(1))
    Path("rules.json").write_text("mine")
    refused(call("validate", "init", "pole", "-o", "rules.json", "--apply"), "exists already", "--force")
    archive = Lake("lake").archive("pole")
    assert (archive.suite, Path("rules.json").read_text()) == (None, "mine")
    ok("validate", "init", "pole", "-o", "rules.json", "--apply", "--force")
    assert archive.suite == json.loads(Path("rules.json").read_text())
    refused(call("validate", "init", "pole", "--apply"), "pole_proposed", "--force")
    ok("validate", "init", "pole", "--apply", "--force")


def test_a_snapshot_is_what_a_suite_is_proposed_from() -> None:
    land(played(1))
    snapshot = Lake("lake").archive("pole").snapshot().id
    land(change(played(2), 0, reward=100.0))
    document = ok("validate", "init", "pole", "--from", snapshot, "--json").document
    assert document["meta"]["proposed_from"]["rows"] == played(1).num_rows
    Path("rules.json").write_text(json.dumps(document))
    assert "not met" in call("validate", "run", "pole", "--suite", "rules.json").out


def test_what_init_cannot_do_is_said() -> None:
    refused(call("validate", "init", "pole"), "no lake")
    Lake("lake").create("pole", spec=SPEC)
    refused(call("validate", "init", "pole"), "has no steps to look at")
    refused(call("validate", "init", "pool"), "no archive 'pool'", "Did you mean 'pole'?")
    refused(call("validate", "init", "pole", "--from", "pole-1"), "no snapshot 'pole-1'")


def test_landing_gives_every_step_a_time_so_none_is_asked_for() -> None:
    land(played(1))
    rules = ok("validate", "init", "pole", "--json").document["expectations"]
    not_null = {rule["kwargs"]["column"] for rule in rules if rule["type"].endswith("_not_be_null")}
    assert "reward" in not_null
    assert "event_time" not in not_null


# audit


def test_an_audit_tells_what_is_wrong_worst_first() -> None:
    land(played(1))
    outcome = ok("validate", "audit", "pole")
    assert f"{played(1).num_rows} steps of" in outcome.out
    assert "since version" not in outcome.out
    assert "select * from pole.episodes" in outcome.err
    land(change(change(played(2), 4, next_observation=[0.1, 0.2, 0.3, 0.4]), 30, reward=40.0))
    outcome = call("validate", "audit", "pole")
    assert outcome.code == 1
    assert "since version 1" in outcome.out
    lines = [line.split()[0] for line in outcome.out.splitlines() if "/" in line.split(":")[0]]
    assert lines == sorted(lines, key=["critical", "warning", "info"].index)
    assert "critical episodes/wrong_next_observation next_observation: 1 of" in outcome.out
    assert call("validate", "audit", "pole").out == outcome.out
    document = call("validate", "audit", "pole", "--json").document
    assert document["findings"][0]["severity"] == "critical"
    assert call("validate", "audit", "pole", "--full", "--json").document["since"] == -1
    assert [report.version for report in audit_history(Lake("lake"), "pole")] == [1, 2]


def test_a_reference_a_policy_and_constraints_are_given_by_flags() -> None:
    Path("mine.py").write_text(
        "import numpy as np\n"
        "def even(observations, actions=None):\n"
        "    return np.full((len(observations), 2), 0.5)\n"
    )
    wrong = [{**row, "action_log_prob": -0.1} for row in played(1).to_pylist()]
    land(pa.Table.from_pylist(wrong, schema=played(1).schema))
    snapshot = Lake("lake").archive("pole").snapshot().id
    outcome = call(
        "validate", "audit", "pole", "--reference", snapshot, "--policy", "mine:even", "--outliers", "iqr",
        "--constraint", "near=abs(x) < 0.01", "--let", "x=observation[0]", "--json",
    )  # fmt: skip
    document = outcome.document
    found = {(one["audit"], one["check"], one["column"]) for one in document["findings"]}
    assert outcome.code == 1
    assert document["reference"] == snapshot
    assert ("constraints", "near", "observation[0]") in found
    assert ("propensities", "policy", "action_log_prob") in found
    assert call("validate", "audit", "pole", "--no-reference", "--json").document["reference"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reference", "pole-1"), ("no snapshot 'pole-1'",)),
        (("--reference", "pole-1", "--no-reference"), ("Leave one of them out",)),
        (("--constraint", "nonsense"), ("is not NAME=TEXT",)),
        (("--constraint", "a=reward <"), ("Constraint 'a'",)),
        (("--constraint", "a=rewrad < 1"), ("no column", "reward")),
        (("--constraint", "a=x < 1"), ("no column and no name 'x'",)),
        (("--constraint", "a=reward < 1", "--constraint", "a=reward < 2"), ("given twice",)),
        (("--let", "x"), ("is not NAME=TEXT",)),
        (("--let", "x=observations[0]", "--constraint", "a=x < 1"), ("no column 'observations'",)),
        (("--policy", "json"), ("is not MODULE:FUNCTION",)),
        (("--policy", "no.such:thing"), ("cannot be loaded", "no.such")),
        (("--policy", "json:nothing"), ("cannot be loaded",)),
        (("--policy", "json:__name__"), ("is a str, not a function",)),
        (("--outliers", "guess"), ("guess",)),
    ],
)
def test_what_audit_cannot_do_is_said(words: tuple[str, ...], said: tuple[str, ...]) -> None:
    land(played(1))
    refused(call("validate", "audit", "pole", *words), *said)
    assert not Lake("lake").archive("pole").is_audited


def test_verbs_stand_in_the_help() -> None:
    shown = ok("validate", "--help").out
    assert all(verb in shown for verb in ("run", "init", "audit", "report", "shadow"))
    refused(call("validate", "audit", "pole"), "no lake")


def test_failures_are_documents_with_json() -> None:
    assert call("validate", "audit", "pole", "--json").document["error"]["kind"] == "NotFoundError"
