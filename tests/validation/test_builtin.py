"""Every rule that an archive has by itself: rows that pass, rows that fail, and what is said about them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete, Text
from schemas.steps import Steps
from tests.validation.rows import CARTPOLE, PUZZLE, ROBOT, judge, row, table
from validation import Gate, builtin_suite

NAN, INF = math.nan, math.inf
OBSERVATION = [0.0, 0.1, 0.0, -0.1]
RANGED = CARTPOLE.model_copy(update={"reward_range": (0.0, 2.0)})
STRICT = CARTPOLE.model_copy(update={"require_propensity": True, "exclusive_ends": True})
DENSE = ROBOT.model_copy(update={"propensity": "density"})
BOARD = {"board": b"\x00\x01\x02\x09", "clock": [30.0]}

BAD: list[tuple[ArchiveSpec, dict[str, Any], str, str]] = [
    (CARTPOLE, {"observation": [0.0, 0.1, 0.0]}, "shape(observation)", "observation has 3 values, not 4"),
    (CARTPOLE, {"observation": [0.0, 9.9]}, "shape(observation)", "observation has 2 values, not 4"),
    (CARTPOLE, {"observation": [0.0, None, 0.0, 0.0]}, "shape(observation)", "observation[1] is null"),
    (CARTPOLE, {"next_observation": []}, "shape(next_observation)", "next_observation has 0 values, not 4"),
    (ROBOT, {"action": [0.5]}, "shape(action)", "action has 1 value, not 2"),
    (CARTPOLE, {"action_mask": [True]}, "shape(action_mask)", "action_mask has 1 value, not 2"),
    (CARTPOLE, {"torque": [0.1]}, "shape(torque)", "torque has 1 value, not 2"),
    (
        PUZZLE,
        {"observation": {**BOARD, "board": b"12"}},
        "shape(observation)",
        "observation.board has 2 values, not 4",
    ),
    (PUZZLE, {"observation": {**BOARD, "clock": None}}, "shape(observation)", "observation.clock is null"),
    (
        CARTPOLE,
        {"observation": [0.0, 0.1, NAN, 0.0]},
        "finite(observation)",
        "observation[2] is nan, not a finite",
    ),
    (CARTPOLE, {"observation": [INF, 0.1, 0.0, 0.0]}, "finite(observation)", "observation[0] is inf"),
    (
        CARTPOLE,
        {"next_observation": [0.0, 0.1, NAN, 0.0]},
        "finite(next_observation)",
        "next_observation[2] is nan",
    ),
    (ROBOT, {"action": [NAN, 0.0]}, "finite(action)", "action[0] is nan"),
    (
        PUZZLE,
        {"observation": {**BOARD, "clock": [NAN]}},
        "finite(observation)",
        "observation.clock[0] is nan",
    ),
    (RANGED, {"reward": NAN}, "finite(reward)", "reward is nan, not a finite number"),
    (RANGED, {"reward": -INF}, "finite(reward)", "reward is -inf, not a finite number"),
    (CARTPOLE, {"discount": INF}, "finite(discount)", "discount is inf"),
    (CARTPOLE, {"priority": NAN}, "finite(priority)", "priority is nan"),
    (
        CARTPOLE,
        {"action_log_prob": 0.2},
        "propensity(action_log_prob)",
        "action_log_prob is 0.2, not the log of",
    ),
    (STRICT, {"action_log_prob": NAN}, "propensity(action_log_prob)", "action_log_prob is nan"),
    (CARTPOLE, {"action_log_prob": -INF}, "propensity(action_log_prob)", "action_log_prob is -inf"),
    (
        DENSE,
        {"action_log_prob": INF},
        "propensity(action_log_prob)",
        "action_log_prob is inf, not a finite log",
    ),
    (STRICT, {"action_log_prob": None}, "not_null(action_log_prob)", "action_log_prob is null"),
    (CARTPOLE, {"observation": None}, "not_null(observation)", "observation is null"),
    (CARTPOLE, {"action": None}, "not_null(action)", "action is null"),
    (CARTPOLE, {"source": None}, "not_null(source)", "source is null"),
    (CARTPOLE, {"agent_id": None}, "not_null(agent_id)", "agent_id is null"),
    (CARTPOLE, {"terminated": None}, "not_null(terminated)", "terminated is null"),
    (CARTPOLE, {"truncated": None}, "not_null(truncated)", "truncated is null"),
    (CARTPOLE, {"priority": None}, "not_null(priority)", "priority is null"),
    (CARTPOLE, {"episode_id": None}, "key", "there is neither an event_id nor an episode_id and a step"),
    (CARTPOLE, {"step": None}, "key", "there is neither"),
    (
        CARTPOLE,
        {"observation": [5.0, 0.1, 0.0, 0.0]},
        "in_space(observation)",
        "observation[0] is 5.0, outside -4.8 to 4.8",
    ),
    (
        CARTPOLE,
        {"next_observation": [0.0, 0.1, -0.5, 0.0]},
        "in_space(next_observation)",
        "next_observation[2] is -0.5",
    ),
    (
        ROBOT,
        {"observation": {"item_0": [0.0, 0.0], "item_1": 0}},
        "in_space(observation)",
        "observation.item_1 is 0, outside 1 to 3",
    ),
    (
        PUZZLE,
        {"observation": {**BOARD, "board": b"\x0a\x00\x00\x00"}},
        "in_space(observation)",
        "observation.board[0] is 10, outside 0 to 9",
    ),
    (CARTPOLE, {"torque": [0.1, -1.1]}, "in_space(torque)", "torque[1] is -1.1, outside -1.0 to 1.0"),
    (CARTPOLE, {"word": "horse"}, "in_space(word)", "word has 5 characters, outside 0 to 4"),
    (CARTPOLE, {"action": 2}, "in_space(action)", "action is 2, outside 0 to 1"),
    (CARTPOLE, {"action": -1, "action_mask": [True, True]}, "in_space(action)", "action is -1"),
    (PUZZLE, {"action": [1, 4]}, "in_space(action)", "action[1] is 4, outside 5 to 7"),
    (ROBOT, {"action": [1.5, 0.0]}, "in_space(action)", "action[0] is 1.5, outside -1.0 to 1.0"),
    (CARTPOLE, {"action_mask": [True, False]}, "in_mask(action)", "action 1 is not allowed by its mask"),
    (
        PUZZLE,
        {"action_mask": [True, True, True, True, False]},
        "in_mask(action)",
        "action [1, 7] is not allowed",
    ),
    (CARTPOLE, {"step": -1}, "between(step)", "step is -1, not at least 0"),
    (RANGED, {"reward": 2.5}, "between(reward)", "reward is 2.5, not at least 0.0 and at most 2.0"),
    (CARTPOLE, {"discount": 1.5}, "between(discount)", "discount is 1.5"),
    (CARTPOLE, {"priority": -0.1}, "between(priority)", "priority is -0.1, not at least 0.0"),
    (
        CARTPOLE,
        {"truncated": True},
        "truncated(next_observation)",
        "truncated is true and next_observation is null",
    ),
    (
        STRICT,
        {"terminated": True, "truncated": True, "next_observation": OBSERVATION},
        "ends",
        "terminated and truncated are both",
    ),
]
GOOD: list[tuple[ArchiveSpec, dict[str, Any]]] = [
    *((spec, {}) for spec in (CARTPOLE, PUZZLE, ROBOT, RANGED, STRICT, DENSE)),
    (CARTPOLE, {"reward": None}),
    (CARTPOLE, {"action_log_prob": None}),
    (CARTPOLE, {"action_log_prob": 1e-10}),
    (DENSE, {"action_log_prob": 3.5}),
    (CARTPOLE, {"event_id": "x", "episode_id": None, "step": None}),
    (CARTPOLE, {"observation": [4.8, 1e30, -0.418, -1e30]}),
    (CARTPOLE, {"action_mask": [False, True]}),
    (PUZZLE, {"action_mask": [False, True, False, False, True]}),
    (ROBOT, {"action_mask": [True]}),
    (CARTPOLE, {"torque": [NAN, 1.0], "speed": NAN}),
    (CARTPOLE, {"discount": 1.0, "priority": 0.0, "step": 0}),
    (RANGED, {"reward": 2.0}),
    (CARTPOLE, {"terminated": True, "truncated": True, "next_observation": OBSERVATION}),
    (CARTPOLE, {"terminated": True}),
]


@pytest.mark.parametrize(("spec", "changes", "code", "said"), BAD)
def test_a_bad_row_is_rejected_for_one_reason(
    spec: ArchiveSpec, changes: dict[str, Any], code: str, said: str
) -> None:
    gate, rows = Gate(spec), table(spec, row(spec, **changes), row(spec))
    verdict = gate.judge(rows)
    assert verdict.reasons.to_pylist() == [[code], []]
    assert verdict.accepted.tolist() == [False, True]
    assert verdict.quality.tolist() == [0.0, 1.0]
    (line,) = gate.describe(rows, verdict).to_pylist()
    assert line.startswith(said)


@pytest.mark.parametrize(("spec", "changes"), GOOD)
def test_a_good_row_is_accepted(spec: ArchiveSpec, changes: dict[str, Any]) -> None:
    verdict = judge(spec, None, row(spec, **changes))
    assert verdict.reasons.to_pylist() == [[]]
    assert verdict.accepted.tolist() == [True]


def test_several_causes_give_several_reasons() -> None:
    bad = row(CARTPOLE, reward=NAN, action=7, observation=None, step=-1)
    verdict = judge(CARTPOLE, None, bad)
    assert verdict.reasons.to_pylist() == [
        ["finite(reward)", "not_null(observation)", "in_space(action)", "between(step)"]
    ]


def test_every_rule_has_a_failing_row() -> None:
    tried = {(spec.name, code) for spec, _, code, _ in BAD}
    codes = {code for _, code in tried}
    for spec in (CARTPOLE, RANGED, STRICT, PUZZLE, ROBOT):
        assert {held.code for held in Gate(spec).rules} <= codes | {"finite(torque)"}


def test_builtin_rules_are_a_suite_that_can_be_shown() -> None:
    shown = builtin_suite(RANGED).to_dict()
    assert {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "reward", "min_value": 0.0, "max_value": 2.0},
        "severity": "critical",
    } in shown["expectations"]


def test_an_open_end_of_the_reward_range_asks_nothing() -> None:
    open_above = CARTPOLE.model_copy(update={"reward_range": (0.0, INF)})
    verdict = judge(open_above, None, row(open_above, reward=1e9), row(open_above, reward=-1.0))
    assert verdict.accepted.tolist() == [True, False]
    unbounded = CARTPOLE.model_copy(update={"reward_range": (-INF, INF)})
    assert "between(reward)" not in {held.code for held in Gate(unbounded).rules}


def test_a_partition_value_names_a_folder() -> None:
    spec = ArchiveSpec(
        name="parts",
        observation=Box(shape=(1,)),
        action=Discrete(n=2),
        extras={"country": Text()},
        partition_by=("country", "source"),
    )
    values = ["DE", "x" * 82, "x" * 83, "", "\u00fc" * 41, "\u00fc" * 42, None]
    table = Steps.from_rows(
        [
            {
                "episode_id": "e",
                "step": number,
                "observation": [0.0],
                "action": 0,
                "reward": 0.0,
                "terminated": False,
                "truncated": False,
                "country": value,
            }
            for number, value in enumerate(values)
        ],
        spec,
    ).table
    gate = Gate(spec, None)
    verdict = gate.judge(table)
    assert verdict.accepted.tolist() == [True, True, False, False, True, False, True]
    assert verdict.reasons[3].as_py() == ["folder(country)"]
    assert "names no folder: 1 to 82 bytes do" in gate.describe(table, verdict)[1].as_py()
