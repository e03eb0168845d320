"""Which actions were tried, which numbers stand still, and whether propensities can be true."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from tests.audits.experience import POLICIES, played, with_elements, with_values
from validation.audits.coverage import action_coverage, actions_per_situation, check_coverage
from validation.audits.finding import Finding
from validation.audits.propensities import check_propensities, propensity_overlap
from validation.audits.variance import check_variance

ROWS = 3000


def told(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return [(finding.check, finding.column) for finding in findings]


def spec_of(action: Any) -> ArchiveSpec:
    return ArchiveSpec(name="any", observation=Box(shape=(1,)), action=action)


@settings(deadline=None)
@given(st.lists(st.integers(-1, 8), max_size=60))
def test_actions_are_counted_as_a_counter_does(actions: list[int]) -> None:
    spec = spec_of(Discrete(n=5, start=2))
    steps = pa.table({"action": pa.array(actions, pa.int64())})
    covered = action_coverage(steps, spec)["action"]
    counter = Counter(action for action in actions if 2 <= action < 7)
    assert dict(zip(covered.values or (), covered.counts.tolist(), strict=True)) == {
        action: counter[action] for action in range(2, 7)
    }
    assert covered.never == tuple(action for action in range(2, 7) if not counter[action])
    assert covered.total == counter.total()


def test_the_effective_number_of_actions_is_between_one_and_all() -> None:
    spec = spec_of(Discrete(n=4))
    even = pa.table({"action": [0, 1, 2, 3] * 10})
    assert action_coverage(even, spec)["action"].effective == pytest.approx(4)
    one = pa.table({"action": [2] * 40})
    assert action_coverage(one, spec)["action"].effective == pytest.approx(1)
    assert told(check_coverage(one, spec)) == [("never_taken", "action"), ("one_action", "action")]
    assert [finding.severity for finding in check_coverage(one, spec)] == ["info", "info"]
    against = check_coverage(one, spec, reference=even)
    assert [finding.severity for finding in against] == ["warning", "warning"]
    assert "0, 1, 3, which the reference has" in against[0].message
    rare = pa.table({"action": [0, 1, 2] * 1000 + [3]})
    assert told(check_coverage(rare, spec)) == [("rarely_taken", "action")]


def test_parts_of_actions_are_counted_each() -> None:
    steps = pa.table({"action": pa.array([[0, 5], [1, 7]], pa.list_(pa.int64()))})
    covered = action_coverage(steps, spec_of(MultiDiscrete(nvec=(2, 3), start=(0, 5))))
    assert covered["action[1]"].values == (5, 6, 7) and covered["action[1]"].never == (6,)
    binary = pa.table({"action": pa.array([[0, 1], [0, 0]], pa.list_(pa.int8()))})
    assert action_coverage(binary, spec_of(MultiBinary(shape=(2,))))["action[0]"].never == (1,)
    fields = Dict(spaces={"go": Discrete(n=2), "turn": Box(shape=(1,), low=-1.0, high=1.0)})
    named = pa.table({"action": pa.array([{"go": 1, "turn": [0.5]}], fields.arrow_type)})
    assert set(action_coverage(named, spec_of(fields))) == {"action.go", "action.turn[0]"}


def test_a_continuous_action_is_counted_over_its_bounds_or_what_was_seen() -> None:
    steps = pa.table({"action": pa.array([[0.05], [0.95], [0.55]], pa.list_(pa.float32()))})
    bounded = action_coverage(steps, spec_of(Box(shape=(1,), low=-1.0, high=1.0)))["action[0]"]
    assert bounded.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 1, 0, 1] and bounded.edges is not None
    assert bounded.edges[0] == -1 and bounded.to_dict()["values"] is None
    assert told(check_coverage(steps, spec_of(Box(shape=(1,), low=-1.0, high=1.0)))) == [
        ("empty_bins", "action[0]")
    ]
    open_ = action_coverage(steps, spec_of(Box(shape=(1,))))["action[0]"]
    assert open_.edges is not None and open_.edges[0] == pytest.approx(0.05)


def test_an_action_that_follows_from_the_observation_is_alone_in_its_situation() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(4000, 6))
    spec = ArchiveSpec(name="any", observation=Box(shape=(6,)), action=Discrete(n=2))
    narrow = ArchiveSpec(name="any", observation=Box(shape=(1,)), action=Discrete(n=2))
    free = pa.table({"observation": seen.tolist(), "action": rng.integers(0, 2, 4000)})
    assert actions_per_situation(free, spec) == pytest.approx(2, abs=0.1)
    bound = pa.table({"observation": seen[:, :1].tolist(), "action": (seen[:, 0] > 0).astype(np.int64)})
    assert actions_per_situation(bound, narrow) == pytest.approx(1, abs=0.05)
    assert actions_per_situation(bound, spec_of(Box(shape=(1,)))) is None
    assert actions_per_situation(bound[:5], narrow) is None


@pytest.mark.parametrize("environment", POLICIES)
def test_clean_steps_neither_freeze_nor_pile_up(environment: str) -> None:
    first, second = played(environment, ROWS), played(environment, ROWS, seed=1)
    assert check_variance(second.steps, first.spec, reference=first.steps) == []
    alone = check_variance(first.steps, first.spec)
    assert all(finding.check == "zero_variance" and finding.severity == "info" for finding in alone)


def freeze(values: Any) -> Any:
    values[1000:1020, 1] = values[1000, 1]
    return values


def stutter(values: Any) -> Any:
    for row in range(20, len(values), 20):
        values[row, 1] = values[row - 1, 1]
    return values


def clip(values: Any) -> Any:
    values[:, 1] = np.minimum(values[:, 1], np.quantile(values[:, 1], 0.9))
    return values


def pile(values: Any) -> Any:
    values[::20, 1] = np.float32(0.0123)
    return values


def never_move(values: Any) -> Any:
    values[:, 1] = 0.5
    return values


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (freeze, "frozen"),
        (stutter, "frozen"),
        (clip, "clipped"),
        (pile, "pile"),
        (never_move, "zero_variance"),
    ],
)
@pytest.mark.parametrize("environment", POLICIES)
def test_what_stands_still_or_piles_up_is_named(environment: str, change: Any, check: str) -> None:
    first, second = played(environment, ROWS), played(environment, ROWS, seed=1)
    steps = with_elements(second.steps, "observation", change)
    found = told(check_variance(steps, first.spec, reference=first.steps))
    assert (check, "observation[1]") in found
    assert {column for _, column in found} == {"observation[1]"}


def test_a_stand_does_not_cross_episodes_nor_hang_on_the_order_of_rows() -> None:
    clean = played("CartPole-v1", ROWS)
    frozen = with_elements(clean.steps, "observation", freeze)
    shuffled = frozen.take(pa.array(np.random.default_rng(0).permutation(ROWS)))
    (one,), (other,) = (
        [finding for finding in check_variance(steps, clean.spec) if finding.check == "frozen"]
        for steps in (frozen, shuffled)
    )
    assert (one.column, one.count) == (other.column, other.count) == ("observation[1]", 20)
    assert one.value == other.value == 15  # an episode ends within
    parts = pl.DataFrame({"episode_id": ["a", "b"] * 20, "step": np.arange(40) // 2, "x": [1.0, 2.0] * 20})
    assert told(check_variance(parts)) == []  # each stands by nature


@pytest.mark.parametrize("environment", POLICIES)
def test_true_propensities_are_believed(environment: str) -> None:
    clean = played(environment, ROWS)
    assert check_propensities(clean.steps, clean.spec) == []
    assert check_propensities(clean.steps, clean.spec, clean.policy) == []
    logs = np.array(clean.steps["action_log_prob"])
    rounded = with_values(clean.steps, "action_log_prob", np.log(np.exp(logs).astype(np.float32)))
    assert check_propensities(rounded, clean.spec, clean.policy) == []


@pytest.mark.parametrize("environment", POLICIES)
def test_against_the_policy_each_wrong_row_is_found(environment: str) -> None:
    clean = played(environment, ROWS)
    wrong = np.random.default_rng(0).random(ROWS) < 0.05
    logs = np.array(clean.steps["action_log_prob"]) - np.where(wrong, 0.01 + wrong.cumsum() / 100, 0)
    (finding,) = check_propensities(
        with_values(clean.steps, "action_log_prob", logs), clean.spec, clean.policy
    )
    assert (finding.check, finding.column, finding.severity) == ("policy", "action_log_prob", "critical")
    assert finding.count == wrong.sum()
    assert finding.examples[0]["row"] == np.flatnonzero(wrong)[-1]
    assert finding.examples[0]["expected"] > finding.examples[0]["logged"]


@pytest.mark.parametrize("environment", ["CartPole-v1", "Acrobot-v1"])
def test_without_the_policy_propensities_are_held_against_frequencies(environment: str) -> None:
    clean = played(environment, ROWS)
    logs = np.array(clean.steps["action_log_prob"])
    found = check_propensities(
        with_values(clean.steps, "action_log_prob", np.minimum(logs + 0.2, 0.0)), clean.spec
    )
    assert told(found) == [("calibration", "action_log_prob")]
    assert found[0].value is not None and found[0].value < 0.95


def test_missing_and_impossible_propensities_are_counted() -> None:
    clean = played("CartPole-v1", ROWS)
    logs = np.array(clean.steps["action_log_prob"]).tolist()
    logs[7], logs[8] = None, 0.5
    found = check_propensities(with_values(clean.steps, "action_log_prob", logs), clean.spec)
    assert [(f.check, f.count, f.examples[0]["row"]) for f in found] == [
        ("missing", 1, 7),
        ("impossible", 1, 8),
    ]
    none = with_values(clean.steps, "action_log_prob", [None] * ROWS)
    assert check_propensities(none, clean.spec) == [] and propensity_overlap(none) is None
    assert told(check_propensities(none, clean.spec, clean.policy)) == [("missing", "action_log_prob")]


def test_a_policy_that_hardly_explores_overlaps_with_few() -> None:
    rng = np.random.default_rng(0)
    seldom = rng.random(5000) < 0.0005
    logs = np.where(seldom, np.log(0.0005), np.log(0.9995))
    steps = pa.table(
        {"action": seldom.astype(np.int64), "action_log_prob": logs, "observation": [[0.0]] * 5000}
    )
    found = check_propensities(steps, spec_of(Discrete(n=2)))
    assert told(found) == [("overlap", "action_log_prob")]
    overlap = propensity_overlap(steps)
    assert overlap is not None and overlap.effective < 0.01
    assert overlap.to_dict()["least"] == pytest.approx(0.0005)


def test_an_action_that_the_policy_never_takes_and_masks_count() -> None:
    spec = spec_of(Discrete(n=2))
    half = np.log(0.5)
    mask = [[True, True], [True, False]] * 200
    actions = [0, 0, 1, 0] * 100
    logs = [half, 0.0] * 200
    held = {"observation": [[0.0]] * 400, "action": actions, "action_log_prob": logs, "action_mask": mask}
    steps = pa.table(held)
    assert check_propensities(steps, spec) == []
    assert told(check_propensities(steps.drop_columns("action_mask"), spec)) == [
        ("calibration", "action_log_prob")
    ]
    (never,) = check_propensities(steps, spec, lambda seen: np.array([[1.0, 0.0]] * len(seen)))
    assert never.value is None and never.count == 200


def test_a_policy_of_the_wrong_shape_is_an_error() -> None:
    clean = played("CartPole-v1", ROWS)
    with pytest.raises(UsageError, match=r"shape \(3000, 3\), not \(3000, 2\)"):
        check_propensities(clean.steps, clean.spec, lambda seen: np.ones((len(seen), 3)))
