"""The corpus itself: it changes what it says, as much as it says, and nothing that was given to it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from schemas.steps import Steps
from tests.faults.corpus.kinds import FAULTS
from tests.faults.corpus.log import Fault, Log
from tests.faults.environments import record, worlds

CASES = [
    pytest.param(fault, name, id=f"{name}-{fault.name}")
    for fault in FAULTS
    for name in worlds()
    if name in fault.worlds
]

_ALLOWED = {"__future__", "collections", "dataclasses", "itertools", "numpy", "polars", "pyarrow", "typing"}


@cache
def _recorded(name: str) -> pa.Table:
    return record(worlds()[name], 1, 3000).table


@cache
def _others(name: str) -> dict[str, pa.Table]:
    world = worlds()[name]
    return {
        "physics": record(world, 2, 500, physics=world.other_physics).table,
        "policy": record(world, 3, 500, policy=world.other_policy).table,
    }


@pytest.mark.parametrize(("fault", "world"), CASES)
def test_a_fault_touches_its_share_of_rows_or_episodes_and_only_those(fault: Fault, world: str) -> None:
    clean = _recorded(world)
    damaged, truth = fault.inject(clean, np.random.default_rng(7), 0.05, _others(world))

    assert Steps(damaged, worlds()[world].spec).table.num_rows == damaged.num_rows
    assert 0 < len(truth.rows) < 0.2 * clean.num_rows
    if damaged.num_rows == clean.num_rows and not fault.name.startswith("other_"):
        before, after = pl.DataFrame(clean), pl.DataFrame(damaged)
        differs = pl.any_horizontal(before[name].ne_missing(after[name]) for name in before.columns)
        changed = before.select(differs).to_series().arg_true()
        assert len(changed)
        assert set(changed) <= set(truth.rows.tolist())
    assert not damaged.equals(clean)


@pytest.mark.parametrize(("fault", "world"), CASES)
def test_a_fault_is_a_pure_function_of_table_and_seed(fault: Fault, world: str) -> None:
    clean = _recorded(world)
    one, truth = fault.inject(clean, np.random.default_rng(7), 0.05, _others(world))
    two, again = fault.inject(clean, np.random.default_rng(7), 0.05, _others(world))

    assert one.equals(two)
    assert truth.columns == again.columns


@pytest.mark.parametrize("world", worlds())
def test_a_recording_depends_on_its_seed_alone(world: str) -> None:
    assert record(worlds()[world], 1, 3000).table.equals(_recorded(world))
    assert not record(worlds()[world], 2, 3000).table.equals(_recorded(world))


@pytest.mark.parametrize("world", worlds())
def test_clean_experience_is_what_its_policy_and_its_order_say(world: str) -> None:
    log = Log(_recorded(world))
    expected = worlds()[world].policy.log_prob(log["observation"], log["action"])

    assert np.array_equal(log["action_log_prob"], expected)
    for rows in log.episodes()[:-1]:
        assert np.array_equal(log["next_observation"][rows[:-1]], log["observation"][rows[1:]])
        assert np.array_equal(log["step"][rows], np.arange(len(rows)))
        assert (np.diff(log["event_time"][rows]) > 0).all()
        assert (log["terminated"] | log["truncated"])[rows].tolist() == [False] * (len(rows) - 1) + [True]


def test_the_corpus_knows_nothing_of_rules_and_audits() -> None:
    for path in (Path(__file__).parent / "corpus").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert module.startswith("tests.faults.corpus.") or module.split(".")[0] in _ALLOWED
            elif isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= _ALLOWED


def test_there_are_at_least_30_kinds_each_with_its_own_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
