"""Shadow: what another suite would change, said before it is switched, against a slow reference."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lake import Archive, Lake
from replaylake import replay_quarantine
from replaylake.cli import validate_shadow
from replaylake.cli.verbs import add_root
from replaylake.flows.shadow_report import ShadowReport
from replaylake.flows.shadowing import Shadow, shadow, shadow_follow
from replaylake.flows.suite_watch import SuiteWatch
from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError, UsageError
from schemas.step import wire_schema
from tests.ingest.samples import (
    NO_REWARD_OVER,
    SPEC,
    drain,
    make_archive,
    make_intake,
    make_stream,
    send,
    step,
)
from validation import Gate, Suite

WAIT = 60


def rule(severity: str = "critical", mostly: float = 1.0, **bounds: float) -> dict[str, Any]:
    kwargs = {"column": "reward", "mostly": mostly, **bounds}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "severity": severity}


def suite_of(*rules: dict[str, Any], name: str = "new") -> Suite:
    return Suite.from_dict({"name": name, "expectations": list(rules)})


def ingest(folder: Path, archive: Archive, suite: dict[str, Any] | None, *batches: list[Any]) -> None:
    """Land each batch as one version."""
    stream, topic = make_stream(folder, archive.spec)
    with stream:
        for batch in batches:
            send(stream, topic, *batch)
            drain(stream, make_intake(archive, topic, suite))
    if suite is not None:
        archive.change_suite(suite)


def lake_of(archive: Archive) -> Lake:
    return Lake(archive.folder.parent)


def counts(report: ShadowReport) -> dict[tuple[str, str], int]:
    return {(change.change, change.code): change.rows for change in report.changes}


def test_what_would_be_rejected_accepted_and_flagged(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    old = {"name": "old", "expectations": [rule(max_value=50), rule("warning", min_value=5)]}
    refused = [step(70), step(90), step(7, action=9), b"garbage", step(1, event_time=7), step(20, reward=1.0)]
    ingest(tmp_path, archive, old, [step(number) for number in (1, 2, 10, 20, 30)], refused)
    new = suite_of(
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "step", "value_set": [1, 2, 30, 70]},
        },
        rule("warning", max_value=25),
        rule("info", max_value=0),
    )  # fmt: skip
    before = sorted(path.name for path in archive.folder.rglob("*"))
    report = shadow(lake_of(archive), "demo", new)
    assert sorted(path.name for path in archive.folder.rglob("*")) == before
    assert (report.steps, report.quarantined, report.unjudged) == (5, 3, 3)
    assert report.accepted == {"present": 5, "proposed": 4}
    assert report.flagged == {"present": 2, "proposed": 2}
    assert report.quality == {"present": 0.6, "proposed": 0.5}
    assert report.totals == {
        "newly_rejected": 2, "newly_accepted": 1, "newly_flagged": 1, "no_longer_flagged": 2,
    }  # fmt: skip
    assert counts(report) == {
        ("newly_rejected", "in_set(step)"): 2,
        ("newly_accepted", "between(reward)"): 1,
        ("newly_flagged", "between(reward)"): 1,
        ("no_longer_flagged", "between(reward)"): 2,
    }
    shown = {change.change: change.examples for change in report.changes}
    (accepted,) = shown["newly_accepted"]
    assert (accepted.row, accepted.values) == (f"{SPEC.topic}/0/5/0", {"reward": 70.0})
    assert accepted.says == "reward is 70.0, not at most 50.0"
    (flagged,) = shown["newly_flagged"]
    assert flagged.key == {"source": "default", "agent_id": "default", "episode_id": "e", "step": 30}
    assert flagged.says == "reward is 30.0, not at most 25.0"
    assert {example.values["step"] for example in shown["newly_rejected"]} == {10, 20}
    assert report.present.to_dict() == {
        "name": "old", "hash": SuiteWatch(archive).gate.suite_hash, "rules": 2, "audits": 0,
    }  # fmt: skip
    assert (report.proposed.rules, report.proposed.audits) == (2, 1)
    assert report.proposed.hash == Gate(SPEC, new).suite_hash


SEVERITIES = st.sampled_from(["critical", "warning", "info"])
RULES = st.builds(
    lambda severity, bound, high, mostly: rule(
        severity, mostly, **{"max_value" if high else "min_value": bound}
    ),
    SEVERITIES,
    st.integers(-1, 6),
    st.booleans(),
    st.sampled_from([1.0, 0.5]),
) | st.builds(
    lambda severity, values: {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "action", "value_set": values},
        "severity": severity,
    },
    SEVERITIES,
    st.lists(st.integers(0, 1), min_size=1, max_size=2),
)
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.sampled_from(["ok", "late", "poison"])), max_size=25
)


@settings(max_examples=20, deadline=None)
@given(old=st.lists(RULES, max_size=4), new=st.lists(RULES, max_size=4), drawn=ROWS)
def test_counts_are_those_of_judging_row_by_row(
    tmp_path_factory: pytest.TempPathFactory,
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    drawn: list[tuple[int, int, str]],
) -> None:
    folder = tmp_path_factory.mktemp("shadow")
    archive = make_archive(folder)
    sent = []
    for number, (reward, action, kind) in enumerate(drawn):
        changed = {"reward": float(reward), "action": action}
        sent.append(
            b"?"
            if kind == "poison"
            else step(number, **changed, **({"event_time": 7} if kind == "late" else {}))
        )
    ingest(folder, archive, {"name": "old", "expectations": old}, sent)
    report = shadow(lake_of(archive), "demo", suite_of(*new))
    gates = Gate(SPEC, suite_of(*old)), Gate(SPEC, suite_of(*new))
    expected: Counter[tuple[str, str]] = Counter()
    judged = 0
    for row in (one for one, (*_, kind) in zip(sent, drawn, strict=True) if kind == "ok"):
        judged += 1
        present, proposed = (_verdict(gate, row) for gate in gates)
        if present["accepted"] and not proposed["accepted"]:
            expected.update(("newly_rejected", code) for code in proposed["reasons"])
        if proposed["accepted"] and not present["accepted"]:
            expected.update(("newly_accepted", code) for code in present["reasons"])
        if present["accepted"] and proposed["accepted"]:
            expected.update(("newly_flagged", code) for code in proposed["flags"] - present["flags"])
            expected.update(("no_longer_flagged", code) for code in present["flags"] - proposed["flags"])
    assert report.judged == judged
    assert report.unjudged == len(drawn) - judged
    assert counts(report) == dict(expected)
    assert all(example.says for change in report.changes for example in change.examples)


def _verdict(gate: Gate, row: Any) -> dict[str, Any]:
    wire = {
        name: value for name, value in row.items() if name != "event_time"
    } | {"source": "default", "agent_id": "default", "priority": 1.0}  # fmt: skip
    verdict = gate.judge(pa.Table.from_pylist([wire], schema=wire_schema(SPEC)))
    return {
        "accepted": bool(verdict.accepted[0]),
        "reasons": set(verdict.reasons[0].as_py()),
        "flags": set(verdict.flags[0].as_py()),
    }


def test_only_what_landed_after_a_version_or_the_newest_rows_of_it(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    batches = [[step(10), step(60)], [step(11), step(61), step(62)], [step(12)]]
    ingest(tmp_path, archive, NO_REWARD_OVER, *batches)
    lake, none = lake_of(archive), suite_of()
    looked = [shadow(lake, "demo", none, since=since) for since in range(-1, 4)]
    assert [(one.steps, one.quarantined) for one in looked] == [(3, 3), (3, 3), (2, 2), (1, 0), (0, 0)]
    assert looked[2].to_dict()["since"] == 1 and looked[2].version == 3
    newest = shadow(lake, "demo", none, rows=3)
    assert (newest.steps, newest.quarantined) == (1, 2)
    with pytest.raises(UsageError, match="end at version 3, before 4"):
        shadow(lake, "demo", none, since=4)
    with pytest.raises(UsageError, match="0 is not possible"):
        shadow(lake, "demo", none, rows=0)


def test_a_row_that_a_replay_has_resolved_counts_once(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    ingest(tmp_path, archive, NO_REWARD_OVER, [step(10), step(60), step(61)])
    archive.change_suite({"name": "mid", "expectations": [rule(max_value=60)]})
    replay_quarantine(archive)
    report = shadow(lake_of(archive), "demo", suite_of())
    assert (report.steps, report.quarantined) == (2, 1)
    assert report.totals["newly_accepted"] == 1


def test_partitioned_and_nested_archives_are_read_as_they_are(tmp_path: Path) -> None:
    spec = ArchiveSpec.from_json(
        {
            "name": "nested",
            "observation": {
                "type": "dict",
                "spaces": {"a": {"type": "box", "shape": [2]}, "b": {"type": "discrete", "n": 3}},
            },
            "action": {"type": "box", "shape": [1], "low": -1, "high": 1},
            "partition_by": ["source"],
        }
    )  # fmt: skip
    archive = make_archive(tmp_path, spec)
    record = {"observation": {"a": [0.0, 1.0], "b": 1}, "action": [0.5]}
    batch = [step(number, source=f"s{number % 2}", **record) for number in range(4)]
    ingest(tmp_path, archive, None, [*batch, step(5, **{**record, "action": [4.0]})])
    report = shadow(lake_of(archive), "nested", suite_of(rule(max_value=2)))
    assert (report.steps, report.quarantined) == (4, 1)
    assert counts(report) == {("newly_rejected", "between(reward)"): 1}
    assert report.changes[0].examples[0].key["source"] == "s1"


def test_it_goes_on_with_what_lands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replaylake.flows.shadowing._EVERY", 0.01)
    archive = make_archive(tmp_path)
    stop, looks = threading.Event(), threading.Semaphore(0)
    found: list[ShadowReport] = []
    ingest(tmp_path, archive, None, [step(10)])
    following = threading.Thread(
        target=lambda: found.append(
            shadow_follow(
                lake_of(archive), "demo", suite_of(rule(max_value=50)),
                stop=stop, on_look=lambda report: looks.release(),
            )
        )
    )  # fmt: skip
    following.start()
    assert looks.acquire(timeout=WAIT)
    ingest(tmp_path, archive, None, [step(60), step(61)])
    assert looks.acquire(timeout=WAIT)
    stop.set()
    following.join(WAIT)
    (report,) = found
    assert (report.steps, report.version, report.totals["newly_rejected"]) == (3, 2, 2)


def test_asked_again_nothing_counts_twice(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    ingest(tmp_path, archive, NO_REWARD_OVER, [step(10), step(60)])
    looking = Shadow(archive, suite_of())
    first = looking.look().to_dict()
    assert not looking.has_more()
    assert looking.look().to_dict() == first


def test_a_suite_that_does_not_fit_is_an_error_at_once(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    with pytest.raises(SuiteError, match="has no column 'rewards'"):
        shadow(
            lake_of(archive),
            "demo",
            suite_of({"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "rewards"}}),
        )


def command(*words: str) -> Any:
    app = typer.Typer()
    add_root(app, lambda: None, example="")
    validate_shadow.register(app)
    return CliRunner().invoke(app, ["shadow", *words], catch_exceptions=False)


def test_the_command(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    ingest(tmp_path, archive, NO_REWARD_OVER, [step(10), step(60, source="\x1b[2J[red]")])
    file = tmp_path / "new.json"
    file.write_text(json.dumps(suite_of(rule(max_value=80), rule(min_value=11)).to_dict()))
    lake = str(archive.folder.parent)
    seen = command("demo", "--suite", str(file), "--lake", lake)
    assert "newly rejected" in seen.stdout and "newly accepted" in seen.stdout
    assert "reward is 10.0, not at least 11.0" in seen.stdout
    assert all(sign.isprintable() or sign == "\n" for sign in seen.stdout)
    assert f"archive suite demo {file}" in seen.stderr
    document = json.loads(command("demo", "--suite", str(file), "--lake", lake, "--json").stdout)
    assert document["totals"]["newly_accepted"] == 1 and document["judged"] == 2
    archive.change_suite(json.loads(file.read_text()))
    same = command("demo", "--suite", str(file), "--lake", lake)
    assert "No row would be judged otherwise." in same.stdout and "nothing to switch" in same.stderr
