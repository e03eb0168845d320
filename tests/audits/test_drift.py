"""Drift is told of what changed, and not of two samples of the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audits.experience import POLICIES, played, with_elements, with_values
from validation.audits.drift import DriftLimits, check_drift
from validation.audits.finding import Finding
from validation.audits.psi import bin_edges, bin_of, ks_with_chance, psi, psi_of_shares, psi_with_chance

_SAMPLES = st.lists(st.integers(-30, 30).map(float), min_size=2, max_size=60)


def told(findings: list[Finding]) -> set[tuple[str, str | None]]:
    return {(finding.check, finding.column) for finding in findings}


@pytest.mark.parametrize("rows", [2000, 6000])
@pytest.mark.parametrize("environment", POLICIES)
def test_two_clean_samples_do_not_drift(environment: str, rows: int) -> None:
    first, second = played(environment, 6000), played(environment, 6000, seed=1)
    for one, other in ((first, second), (second, first)):
        assert check_drift(one.steps[:rows], other.steps[:rows], first.spec) == []


def test_the_index_is_what_a_hand_computes() -> None:
    # Shares 0.5, 0.5 become 0.25, 0.75: -0.25 ln 0.5 + 0.25 ln 1.5
    wanted = 0.25 * math.log(2) + 0.25 * math.log(1.5)
    assert psi_of_shares([0.5, 0.5], [0.25, 0.75]) == pytest.approx(wanted)
    assert psi([0, 0, 1, 1], [0, 1, 1, 1]) == pytest.approx(wanted)
    # Ten equal bins of 1 to 100, and all of the second sample in the last: nine times -0.1 ln(0.0001 / 0.1).
    wanted = 9 * (0.0001 - 0.1) * math.log(0.0001 / 0.1) + 0.9 * math.log(10)
    assert psi(np.arange(1, 101), np.full(50, 99.0)) == pytest.approx(wanted)
    assert psi(np.arange(100), np.arange(100)) == 0
    assert psi([1, 2], [1, 2, math.nan]) == 0


@settings(deadline=None)
@given(_SAMPLES, _SAMPLES)
def test_the_index_is_that_of_a_loop(before: list[float], now: list[float]) -> None:
    edges = bin_edges(np.array(before))
    total = 0.0
    for place in range(len(edges) + 1):
        low = -math.inf if place == 0 else edges[place - 1]
        high = math.inf if place == len(edges) else edges[place]
        shares = [max(1e-4, sum(low < value <= high for value in held) / len(held)) for held in (before, now)]
        total += (shares[1] - shares[0]) * math.log(shares[1] / shares[0])
    assert psi(before, now) == pytest.approx(total, abs=1e-9)
    rows = [np.arange(len(held)) for held in (before, now)]
    codes = [bin_of(np.array(held), edges) for held in (before, now)]
    assert psi_with_chance(codes[0], codes[1], len(edges) + 1, rows[0], rows[1]).value == pytest.approx(
        total, abs=1e-9
    )


@settings(deadline=None)
@given(_SAMPLES, _SAMPLES)
def test_ks_is_the_largest_difference_of_shares(before: list[float], now: list[float]) -> None:
    wanted = max(
        abs(sum(v <= place for v in before) / len(before) - sum(v <= place for v in now) / len(now))
        for place in (*before, *now)
    )
    found = ks_with_chance(np.array(before), np.array(now), np.arange(len(before)), np.arange(len(now)))
    assert found.value == pytest.approx(wanted) and 0 <= found.chance <= 1


def test_rows_of_few_episodes_are_worth_less_than_independent_ones() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.normal(0.0, 1.0, 2000), rng.normal(0.4, 1.0, 2000)
    rows, episodes = np.arange(2000), np.arange(2000) // 500
    assert ks_with_chance(before, now, rows, rows).chance < 1e-12
    assert ks_with_chance(before, now, episodes, episodes).chance > 1e-3
    codes = [bin_of(held, bin_edges(before)) for held in (before, now)]
    clustered, independent = (
        psi_with_chance(codes[0], codes[1], 12, groups, groups).chance for groups in (episodes, rows)
    )
    assert clustered > 50 * independent


def test_swapped_elements_are_told_by_their_names() -> None:
    first, second = played("Pendulum-v1", 2000), played("Pendulum-v1", 2000, seed=1)
    swapped = with_elements(second.steps, "observation", lambda values: values[:, [1, 0, 2]])
    found = told(check_drift(first.steps, swapped, first.spec))
    assert {("ks", "observation[0]"), ("psi", "observation[0]"), ("psi", "observation[1]")} <= found
    assert not any(column in (None, "observation[2]", "reward") for _, column in found)


def test_values_beyond_the_range_in_some_rows_are_told_with_the_worst_first() -> None:
    first, second = played("CartPole-v1", 2000), played("CartPole-v1", 2000, seed=1)

    def scale(values: Any) -> Any:
        values[::50, 3] = 1000.0 + np.arange(40)
        return values

    (finding,) = check_drift(
        first.steps, with_elements(second.steps, "observation", scale), first.spec, columns=["observation"]
    )
    assert (finding.check, finding.column, finding.count) == ("range", "observation[3]", 40)
    assert finding.value == pytest.approx(0.02) and finding.examples[0]["value"] == 1039.0


def test_missing_values_are_told_by_their_column() -> None:
    first, second = played("CartPole-v1", 2000), played("CartPole-v1", 2000, seed=1)
    rewards = [None if row % 20 == 0 else 1.0 for row in range(2000)]
    (finding,) = check_drift(first.steps, with_values(second.steps, "reward", rewards), first.spec)
    assert (finding.check, finding.column, finding.count) == ("nulls", "reward", 100)
    (finding,) = check_drift(with_values(first.steps, "reward", rewards), second.steps, first.spec)
    assert finding.check == "nulls" and finding.value == pytest.approx(-0.05) and not finding.examples


def test_new_and_gone_categories_are_told() -> None:
    first, second = played("Acrobot-v1", 2000), played("Acrobot-v1", 2000, seed=1)
    actions = np.array(second.steps["action"])
    found = check_drift(first.steps, with_values(second.steps, "action", np.minimum(actions, 1)), first.spec)
    assert {("gone_category", "action"), ("psi", "action")} <= told(found)
    found = check_drift(with_values(first.steps, "action", np.minimum(actions, 1)), second.steps, first.spec)
    (new,) = [finding for finding in found if finding.check == "new_category"]
    assert new.count == (actions == 2).sum() and new.message.endswith(": 2.") and new.severity == "warning"
    named = with_values(second.steps, "policy_version", ["v2"] * 2000)
    (usual,) = check_drift(first.steps, named, first.spec)
    assert (usual.check, usual.column, usual.severity) == ("new_category", "policy_version", "info")


def test_limits_may_be_set_and_too_few_rows_are_not_compared() -> None:
    first, second = played("CartPole-v1", 2000), played("CartPole-v1", 2000, seed=1)
    strict = DriftLimits(psi=-1.0, ks=0.0, ks_chance=1.0, beyond=0.0)
    found = told(check_drift(first.steps, second.steps, first.spec, limits=strict))
    assert {check for check, _ in found} == {"psi", "ks"}
    assert check_drift(first.steps, second.steps[:40], first.spec, limits=strict) == []
    assert check_drift(first.steps[:0], second.steps[:0], first.spec) == []


def test_plain_tables_are_compared_without_a_spec() -> None:
    rng = np.random.default_rng(0)
    before = pa.table({"x": rng.normal(size=5000), "word": rng.choice(["a", "b"], 5000)})
    same = pa.table({"x": rng.normal(size=5000), "word": rng.choice(["a", "b"], 5000)})
    after = pa.table({"x": rng.normal(1.0, size=5000), "word": rng.choice(["a", "c"], 5000)})
    assert check_drift(before, same) == []
    found = told(check_drift(before, after))
    assert found == {
        ("ks", "x"),
        ("psi", "x"),
        ("new_category", "word"),
        ("gone_category", "word"),
        ("psi", "word"),
    }
