"""A profile says what was seen; the suite proposed of it lets clean steps pass, and names what is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete, Scalar, Text
from schemas.step import wire_schema
from tests.audits.experience import POLICIES, played, with_elements, with_values
from tests.validation.rows import CARTPOLE, PUZZLE, ROBOT, row, table
from validation import Expectation, Gate, Suite, compile_suite
from validation.profiling import Profile, profile_steps, propose_suite
from validation.profiling.figures import Figures

ROWS = 3000


def proposed(environment: str) -> tuple[Suite, ArchiveSpec]:
    clean = played(environment, ROWS)
    return propose_suite(clean.spec, profile_steps(clean.steps, clean.spec)), clean.spec


def rules(suite: Suite, type_: str) -> list[Expectation]:
    return [rule for rule in suite.expectations if rule.type == type_]


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_figures_are_those_of_numpy(values: list[float]) -> None:
    held = np.array([*values, np.nan, np.inf])
    figures = Figures.of(held)
    assert (figures.rows, figures.missing, figures.infinite) == (len(values) + 2, 1, 1)
    assert (figures.least, figures.greatest) == (min(values), max(values))
    assert figures.mean == pytest.approx(np.mean(values)) and figures.deviation == pytest.approx(
        np.std(values)
    )
    assert figures.quantiles is not None and figures.quantiles["0.5"] == np.quantile(values, 0.5)
    assert figures.distinct == len(np.unique(values))
    assert Figures.from_dict(json.loads(json.dumps(figures.to_dict()))) == figures


@pytest.mark.parametrize("environment", POLICIES)
def test_a_profile_is_a_document_and_a_proposal_a_suite(environment: str) -> None:
    clean = played(environment, ROWS)
    profile = profile_steps(clean.steps, clean.spec)
    assert Profile.from_dict(json.loads(json.dumps(profile.to_dict(), allow_nan=False))) == profile
    suite = propose_suite(clean.spec, profile, name="mine")
    assert suite.name == "mine" and suite.hash == propose_suite(clean.spec, profile).hash
    assert Suite.from_dict(json.loads(json.dumps(suite.to_dict(), allow_nan=False))) == suite
    compile_suite(suite, clean.spec)
    for rule in suite.expectations:
        assert rule.other["meta"]["evidence"].endswith((".", "margin."))
        assert isinstance(rule.other["meta"]["seen"], dict)


@pytest.mark.parametrize("environment", POLICIES)
def test_fewer_than_one_clean_row_in_a_thousand_fails(environment: str) -> None:
    suite, spec = proposed(environment)
    gate = Gate(spec, suite)
    for seed in (0, 1, 2):
        steps = played(environment, ROWS, seed).steps
        verdict = gate.judge(steps)
        assert verdict.accepted.all()
        assert np.count_nonzero(np.diff(verdict.flags.offsets.to_numpy())) < ROWS / 1000
        result = suite.validate(steps, "BOOLEAN_ONLY", spec=spec).to_dict()
        assert result["success"], [one for one in result["results"] if not one["success"]]


def far(values: Any) -> Any:
    values[::20, 1] += 1000.0
    return values


@pytest.mark.parametrize(
    ("column", "code"), [("observation", "elements(observation)"), ("next_observation", "jump(observation)")]
)
@pytest.mark.parametrize("environment", ["CartPole-v1", "Pendulum-v1"])
def test_what_is_far_beyond_is_flagged_or_refused(environment: str, column: str, code: str) -> None:
    suite, spec = proposed(environment)
    verdict = Gate(spec, suite).judge(with_elements(played(environment, ROWS, 1).steps, column, far))
    said = verdict.reasons.to_pylist()[::20], verdict.flags.to_pylist()[::20]
    assert all(code in flags or reasons for reasons, flags in zip(*said, strict=True))
    assert not any(verdict.flags.to_pylist()[1::20])


def test_a_reward_that_was_ever_the_same_is_a_set_of_one() -> None:
    suite, spec = proposed("CartPole-v1")
    (rule,) = [r for r in rules(suite, "expect_column_values_to_be_in_set") if r.kwargs["column"] == "reward"]
    assert rule.kwargs["value_set"] == [1.0] and rule.severity == "warning"
    rewards = [100.0 if place % 20 == 0 else 1.0 for place in range(ROWS)]
    verdict = Gate(spec, suite).judge(with_values(played("CartPole-v1", ROWS, 1).steps, "reward", rewards))
    assert [flags for flags in verdict.flags.to_pylist() if flags] == [["in_set(reward)"]] * (ROWS // 20)


def test_a_bonus_at_the_end_hides_nothing_before_it() -> None:
    clean = played("MountainCarContinuous-v0", 6000)
    suite = propose_suite(clean.spec, profile_steps(clean.steps, clean.spec))
    bounds = {
        rule.kwargs["row_condition"]["parameter"]: (rule.kwargs["min_value"], rule.kwargs["max_value"])
        for rule in rules(suite, "expect_column_values_to_be_between")
        if rule.kwargs["column"] == "reward"
    }
    assert bounds[False][1] < 1 and bounds[True][0] > 90


def test_what_the_spec_makes_impossible_is_critical() -> None:
    spec = CARTPOLE.model_copy(
        update={"extras": {}, "reward_range": (0.0, 1.0), "require_propensity": True, "exclusive_ends": True}
    )
    rows = table(spec, *(row(spec, step=step) for step in range(3)))
    suite = propose_suite(spec, profile_steps(rows, spec))
    assert {rule.type for rule in suite.expectations if rule.severity == "critical"} == {
        "expect_action_to_be_in_space",
        "expect_column_values_to_be_in_space",
        "expect_propensity_to_be_possible",
        "expect_propensity_to_be_known",
        "expect_reward_to_be_between",
        "expect_ends_to_be_exclusive",
    }
    # Three rows speak for nothing else.
    assert all(rule.severity == "critical" for rule in suite.expectations)
    assert "note" in suite.other["meta"]["proposed_from"]
    compile_suite(suite, spec)
    compile_suite(propose_suite(spec, profile_steps(rows[:0], spec)), spec)


def test_extras_propensities_times_and_discounts_get_rules_of_their_kind() -> None:
    rng = np.random.default_rng(0)
    spec = ArchiveSpec(
        name="any",
        observation=Box(shape=(2,)),
        action=Box(shape=(1,)),
        propensity="density",
        extras={
            "speed": Scalar(dtype="float64"),
            "lives": Scalar(dtype="int64"),
            "won": Scalar(dtype="bool"),
            "word": Text(),
            "seen": Scalar(dtype="timestamp"),
            "torque": Box(shape=(2,)),
            "mood": Discrete(n=3),
        },
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "episode_id": f"e{number // 20}",
            "step": number % 20,
            "source": "s",
            "agent_id": "a",
            "observation": rng.normal(size=2).tolist(),
            "action": rng.normal(size=1).tolist(),
            "action_log_prob": float(rng.uniform(-1, 1)),
            "reward": float(rng.normal()),
            "terminated": number % 20 == 19,
            "truncated": False,
            "discount": 0.99,
            "event_time": start + timedelta(seconds=number),
            "priority": 1.0,
            "speed": float(rng.exponential()),
            "lives": int(rng.integers(0, 4)),
            "won": bool(rng.integers(0, 2)),
            "word": str(rng.choice(["up", "down"])),
            "seen": start,
            "torque": rng.uniform(-1, 1, 2).tolist(),
            "mood": int(rng.integers(0, 3)),
        }
        for number in range(1000)
    ]
    steps = pa.Table.from_pylist(rows, schema=wire_schema(spec))
    profile = profile_steps(steps, spec)
    assert profile.seconds is not None and (profile.seconds.least, profile.seconds.greatest) == (1.0, 1.0)
    assert profile.lengths is not None and profile.lengths.mean == 20 and profile.has_unique_keys
    suite = propose_suite(spec, profile)
    sets = {
        rule.kwargs["column"]: rule.kwargs["value_set"]
        for rule in rules(suite, "expect_column_values_to_be_in_set")
    }
    assert sets == {"lives": [0, 1, 2, 3], "won": [False, True], "word": ["down", "up"]}
    between = {
        rule.kwargs["column"]: rule.kwargs for rule in rules(suite, "expect_column_values_to_be_between")
    }
    assert set(between) == {"reward", "discount", "speed"}
    assert between["discount"]["min_value"] < 0.99 < between["discount"]["max_value"] <= 1
    assert {rule.kwargs["column"] for rule in rules(suite, "expect_column_elements_to_be_between")} == {
        "observation",
        "next_observation",
        "action",
        "torque",
    }
    (density,) = rules(suite, "expect_propensity_to_be_between")
    assert density.kwargs["min_probability"] < np.exp(-1) and density.kwargs["max_probability"] > np.e
    types = {rule.type for rule in suite.expectations}
    assert {"expect_event_time_to_increase_within_episode", "expect_compound_columns_to_be_unique"} <= types
    assert {"expect_observation_to_change", "expect_propensity_to_be_known"} <= types
    assert {"expect_column_mean_to_be_between", "expect_column_quantile_values_to_be_between"} <= types
    compile_suite(suite, spec)
    result = suite.validate(steps, "SUMMARY", spec=spec).to_dict()
    assert result["success"], [one for one in result["results"] if not one["success"]]


@pytest.mark.parametrize("spec", [PUZZLE, ROBOT])
def test_fields_of_structs_are_named(spec: ArchiveSpec) -> None:
    rng = np.random.default_rng(0)

    def seen() -> dict[str, Any]:
        if spec is PUZZLE:
            return {"board": bytes(rng.integers(2, 5, 4).tolist()), "clock": [float(rng.uniform(20, 30))]}
        return {"item_0": rng.normal(size=2).tolist(), "item_1": 3}

    rows = table(
        spec,
        *(
            row(spec, step=step % 10, episode_id=str(step // 10), observation=seen(), next_observation=seen())
            for step in range(600)
        ),
    )
    suite = propose_suite(spec, profile_steps(rows, spec))
    fields = {rule.kwargs.get("field") for rule in rules(suite, "expect_column_elements_to_be_between")}
    assert fields - {None} == ({"board", "clock"} if spec is PUZZLE else {"item_0"})
    compile_suite(suite, spec)
    assert suite.validate(rows, "BOOLEAN_ONLY", spec=spec).to_dict()["success"]


def test_images_have_one_bound_for_all_their_elements() -> None:
    spec = ArchiveSpec(name="any", observation=Box(shape=(9, 9), dtype="float32"), action=Discrete(n=2))
    rng = np.random.default_rng(0)
    rows = table(
        spec,
        *(
            {
                "source": "s",
                "agent_id": "a",
                "episode_id": str(step // 5),
                "step": step % 5,
                "observation": rng.uniform(0, 1, 81).tolist(),
                "action": step % 2,
                "reward": 0.0,
                "terminated": False,
                "truncated": False,
                "priority": 1.0,
            }
            for step in range(300)
        ),
    )
    suite = propose_suite(spec, profile_steps(rows, spec))
    (rule, other) = rules(suite, "expect_column_elements_to_be_between")
    assert (rule.kwargs["column"], other.kwargs["column"]) == ("observation", "next_observation")
    assert -0.5 < rule.kwargs["min_value"] < 0 and 1 < rule.kwargs["max_value"] < 1.5
    assert not rules(suite, "expect_observation_jump_to_be_between")
    compile_suite(suite, spec)
