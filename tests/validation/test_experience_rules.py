"""Rules that know what a step and an episode are: at the gate, over tables, and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from tests.audits.rollouts import rollout, spec_of
from tests.validation.rows import CARTPOLE, PUZZLE, ROBOT, row, suite, table
from validation import Gate

NAN, INF = math.nan, math.inf
START = datetime(2026, 1, 1, tzinfo=UTC)
MOVED = [0.0, 0.6, 0.0, -0.1]  # from the good row's [0.0, 0.1, 0.0, -0.1]
DENSE = ROBOT.model_copy(update={"propensity": "density"})
RANGED = CARTPOLE.model_copy(update={"reward_range": (0.0, 2.0)})


def expect(what: str, **kwargs: Any) -> dict[str, Any]:
    """Write an expectation as it stands in a file."""
    return {"type": f"expect_{what}", "kwargs": kwargs}


def outcome(rule: Mapping[str, Any], given: Any, spec: ArchiveSpec | None = None) -> dict[str, Any]:
    """Validate a table by one rule, and return its result; an error of it fails the test."""
    (result,) = suite(rule).validate(given, spec=spec).to_dict()["results"]
    assert not result["exception_info"]["raised_exception"], result["exception_info"]
    return {"success": result["success"], **result["result"]}


ELEMENTS = "column_elements_to_be_between"
JUMP = "observation_jump_to_be_between"
AT_THE_GATE: list[tuple[ArchiveSpec, dict[str, Any], dict[str, Any], str, str]] = [
    (
        CARTPOLE,
        expect(
            ELEMENTS, column="observation", min_values=[None, -1, None, None], max_values=[1, 1, 0.4, None]
        ),
        {"observation": [0.5, -2.0, 0.0, 99.0]},
        "elements(observation)",
        "observation[1] is -2.0, outside -1.0 to 1.0",
    ),
    (
        CARTPOLE,
        expect(ELEMENTS, column="observation", max_value=0.2),
        {"observation": [0.0, 0.1, 0.0, 0.3]},
        "elements(observation)",
        "observation[3] is 0.3, above 0.2",
    ),
    (
        CARTPOLE,
        expect(ELEMENTS, column="torque", min_values=[0, None]),
        {"torque": [-0.5, -0.5]},
        "elements(torque)",
        "torque[0] is -0.5, below 0.0",
    ),
    (
        PUZZLE,
        expect(ELEMENTS, column="observation", field="board", max_value=5),
        {"observation": {"board": b"\x00\x01\x07\x02", "clock": [1.0]}},
        "elements(observation.board)",
        "observation.board[2] is 7, above 5.0",
    ),
    (
        PUZZLE,
        expect(ELEMENTS, column="action", max_values=[1, 6]),
        {"action": [1, 7]},
        "elements(action)",
        "action[1] is 7, above 6.0",
    ),
    (
        CARTPOLE,
        expect(JUMP, max_values=[0.1, 0.4, 0.1, 0.1]),
        {"next_observation": MOVED},
        "jump(observation)",
        "observation[1] goes from 0.1 to 0.6, by 0.5, above 0.4",
    ),
    (
        CARTPOLE,
        expect(JUMP, max_value=0.4),
        {"next_observation": [0.0, 0.1, 0.0, -0.9]},
        "jump(observation)",
        "observation[3] goes from -0.1 to -0.9, by 0.79999995, above 0.4",
    ),
    (
        CARTPOLE,
        expect(JUMP, min_values=[None, 0.6, None, None]),
        {"next_observation": MOVED},
        "jump(observation)",
        "observation[1] goes from 0.1 to 0.6, by 0.5, below 0.6",
    ),
    (
        PUZZLE,
        expect(JUMP, field="board", max_value=3),
        {"next_observation": {"board": b"\x00\x01\x06\x09", "clock": [30.0]}},
        "jump(observation.board)",
        "observation.board[2] goes from 2 to 6, by 4, above 3.0",
    ),
    (
        CARTPOLE,
        expect("observation_to_change"),
        {"next_observation": [0.0, 0.1, 0.0, -0.1]},
        "change(observation)",
        "observation stays as it is",
    ),
    (
        CARTPOLE,
        expect("observation_to_change", elements=[0, 2]),
        {"next_observation": MOVED},
        "change(observation)",
        "observation[0], observation[2] stays as it is",
    ),
    (
        CARTPOLE,
        expect("propensity_to_be_between", min_probability=0.6),
        {},
        "propensity_between(action_log_prob)",
        "action_log_prob is -0.7, a probability of 0.497, not at least 0.6",
    ),
    (
        DENSE,
        expect("propensity_to_be_between", max_probability=2.0),
        {"action_log_prob": 1.0},
        "propensity_between(action_log_prob)",
        "action_log_prob is 1.0, a density of 2.72, not at most 2.0",
    ),
    (
        CARTPOLE,
        expect("propensity_to_be_known"),
        {"action_log_prob": None},
        "known(action_log_prob)",
        "action_log_prob is null: how probable the action was is not known",
    ),
    (
        CARTPOLE,
        expect("reward_to_be_between", min_value=1, strict_min=True),
        {"reward": 1.0},
        "between(reward)",
        "reward is 1.0, not above 1",
    ),
    (
        RANGED,
        expect("reward_to_be_between"),
        {"reward": 3.0},
        "between(reward)",
        "reward is 3.0, not at least 0.0 and at most 2.0",
    ),
    (
        CARTPOLE,
        expect("ends_to_have_reward"),
        {"terminated": True, "reward": None},
        "end(reward)",
        "the episode ends here and reward is null",
    ),
]


@pytest.mark.parametrize(("spec", "rule", "changes", "code", "said"), AT_THE_GATE)
def test_a_rule_rejects_a_row_and_says_why(
    spec: ArchiveSpec, rule: dict[str, Any], changes: dict[str, Any], code: str, said: str
) -> None:
    gate, rows = Gate(spec, suite(rule)), table(spec, row(spec, **changes))
    verdict = gate.judge(rows)
    assert verdict.reasons.to_pylist() == [[code]]
    assert said in gate.describe(rows, verdict)[0].as_py()
    assert gate.audits == ()
    result = outcome(rule, rows, spec)
    assert (result["success"], result["unexpected_index_list"]) == (False, [0])


PASSES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        expect(ELEMENTS, column="observation", max_values=[0.0, 0.1, 0.0, -0.1]),
        {},
    ),  # rounded as the column is
    (expect(ELEMENTS, column="observation", max_value=1), {"observation": [NAN, 0.0, 0.0, 0.0]}),
    (expect(JUMP, max_value=0.1), {}),
    (expect(JUMP, max_value=0.5), {"next_observation": MOVED}),
    (expect(JUMP, max_value=0.1), {"next_observation": [NAN, 0.1, 0.0, -0.1]}),
    (
        expect(JUMP, max_value=0.1),
        {"next_observation": [INF, 0.1, 0.0, -0.1], "observation": [INF, 0.1, 0.0, -0.1]},
    ),
    (expect("observation_to_change"), {"next_observation": MOVED}),
    (expect("observation_to_change"), {"next_observation": [NAN] * 4}),
    (expect("propensity_to_be_between", min_probability=0.1, max_probability=1), {}),
    (expect("propensity_to_be_between", min_probability=0, max_probability=0), {"action_log_prob": -INF}),
    (expect("reward_to_be_between", max_value=1), {}),
    (expect("ends_to_have_reward"), {"reward": None}),
]


@pytest.mark.parametrize(("rule", "changes"), PASSES)
def test_a_rule_accepts_a_row(rule: dict[str, Any], changes: dict[str, Any]) -> None:
    result = outcome(rule, table(CARTPOLE, row(CARTPOLE, **changes)), CARTPOLE)
    assert result["success"] and result["unexpected_count"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        expect(ELEMENTS, column="next_observation", max_value=-9),
        expect(JUMP, max_value=0.0),
        expect("observation_to_change"),
        expect("propensity_to_be_between", max_probability=0.0),
        expect("reward_to_be_between", max_value=-9),
    ],
)
def test_a_missing_value_is_not_judged(rule: dict[str, Any]) -> None:
    rows = table(CARTPOLE, row(CARTPOLE, next_observation=None, action_log_prob=None, reward=None))
    result = outcome(rule, rows, CARTPOLE)
    assert result["success"] and result["missing_count"] == 1


def test_a_wrong_shape_gives_one_reason() -> None:
    own = suite(
        expect(ELEMENTS, column="observation", max_values=[1, 1, 1, 1]), expect(JUMP, max_values=[1, 1, 1, 1])
    )
    changes = {"observation": [9.0], "next_observation": [9.0, 9.0]}
    verdict = Gate(CARTPOLE, own).judge(table(CARTPOLE, row(CARTPOLE, **changes)))
    assert verdict.reasons.to_pylist() == [["shape(observation)", "shape(next_observation)"]]


def test_vectors_of_a_plain_table_are_judged_without_a_spec() -> None:
    held = pa.table(
        {
            "observation": pa.array([[1, 2], [3], None, [9, 9]], pa.large_list(pa.int32())),
            "next_observation": pa.array([[1, 5], [3], [1], [9]], pa.large_list(pa.int32())),
        }
    )
    each = outcome(expect(ELEMENTS, column="observation", max_values=[5, 5]), held)
    assert each["unexpected_index_list"] == [1, 3] and each["missing_count"] == 1
    together = outcome(expect(ELEMENTS, column="observation", max_value=5), held)
    assert together["unexpected_index_list"] == [3]
    jumped = outcome(expect(JUMP, max_value=2), held)
    assert jumped["unexpected_index_list"] == [0] and jumped["missing_count"] == 1
    assert outcome(expect(ELEMENTS, column="observation", max_value=5), pl.DataFrame(held)) == together


@pytest.mark.parametrize(
    "type_", [pa.list_(pa.float32(), 2), pa.large_list(pa.int8()), pa.list_(pa.float64())]
)
def test_every_form_of_vectors_is_read(type_: pa.DataType) -> None:
    values = [[0, 9], [1, 2], None, [3, 4], [5, 60]]
    held = pa.table(
        {"observation": pa.array(values, type_), "next_observation": pa.array(values[::-1], type_)}
    )
    fixed = pa.types.is_fixed_size_list(type_)  # Polars does not read a slice of those with nulls
    rows = held.take(pa.array([1, 2, 3, 4])) if fixed else held.slice(1)
    each = outcome(expect(ELEMENTS, column="observation", max_values=[4, 50]), rows)
    assert each["unexpected_index_list"] == [3] and each["missing_count"] == 1
    jumped = outcome(expect(JUMP, max_value=2), rows)
    assert jumped["unexpected_index_list"] == [3] and jumped["missing_count"] == 1


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary()])
def test_images_are_read_in_place(type_: pa.DataType) -> None:
    values = [b"\xff\xff", b"\x01\x02", None, b"\x05\xff"]
    rows = pa.table(
        {"observation": pa.array(values, type_), "next_observation": pa.array(values[::-1], type_)}
    )
    assert outcome(expect(ELEMENTS, column="observation", max_value=254), rows.slice(1))[
        "unexpected_index_list"
    ] == [2]
    assert outcome(expect(JUMP, max_values=[4, None]), rows)["unexpected_index_list"] == [0, 3]


MISTAKES: list[tuple[ArchiveSpec, dict[str, Any], str]] = [
    (CARTPOLE, expect(ELEMENTS, column="observation"), "no bounds"),
    (CARTPOLE, expect(ELEMENTS, column="observation", max_value=1, max_values=[1, 1, 1, 1]), "both given"),
    (
        CARTPOLE,
        expect(ELEMENTS, column="observation", max_values=[1, 1]),
        "max_values has 2 values, and observation has 4",
    ),
    (CARTPOLE, expect(ELEMENTS, column="observation", max_values=[None] * 4), "no bounds"),
    (CARTPOLE, expect(ELEMENTS, column="observation", min_value=2, max_values=[3, 1, 3, 3]), "for element 1"),
    (CARTPOLE, expect(ELEMENTS, column="observation", max_value=NAN), "NaN"),
    (CARTPOLE, expect(ELEMENTS, column="reward", max_value=1), "expect_column_values_to_be_between"),
    (CARTPOLE, expect(ELEMENTS, column="word", max_value=1), "not of vectors"),
    (CARTPOLE, expect(ELEMENTS, column="observation", field="arm", max_value=1), "no field 'arm'"),
    (CARTPOLE, expect(ELEMENTS, column="observations", max_value=1), "Did you mean 'observation'?"),
    (PUZZLE, expect(ELEMENTS, column="observation", max_value=1), "Name one with `field`: board, clock"),
    (PUZZLE, expect(ELEMENTS, column="observation", field="bord", max_value=1), "Did you mean 'board'?"),
    (PUZZLE, expect(JUMP, max_value=1), "Name one with `field`"),
    (ROBOT, expect(JUMP, field="item_1", max_value=1), "not of vectors"),
    (CARTPOLE, expect(JUMP, column="torque", max_value=1), "no column 'next_torque'"),
    (CARTPOLE, expect(JUMP, max_value="far"), "max_value"),
    (CARTPOLE, expect("propensity_to_be_between"), "both missing"),
    (CARTPOLE, expect("propensity_to_be_between", max_probability=1.5), "1 at most"),
    (CARTPOLE, expect("propensity_to_be_between", min_probability=-0.5), "min_probability"),
    (CARTPOLE, expect("propensity_to_be_between", min_probability=0.5, max_probability=0.1), "Swap"),
    (CARTPOLE, expect("reward_to_be_between"), "no reward range"),
    (CARTPOLE, expect("reward_to_be_between", min_value=2, max_value=1), "Swap"),
    (CARTPOLE, expect("observation_to_change", elements=[4]), "no element 4"),
    (CARTPOLE, expect("sequence_to_satisfy", expression="abs(x) < 1"), "no column and no name 'x'"),
    (CARTPOLE, expect("sequence_to_satisfy", expression="reward + 1"), "not true or false"),
]


@pytest.mark.parametrize(("spec", "rule", "said"), MISTAKES)
def test_a_mistake_is_an_error_at_load(spec: ArchiveSpec, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=r"Suite 'mine', rule 1") as caught:
        Gate(spec, suite(rule))
    assert said in str(caught.value)


_NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 2.5, NAN, INF, -INF])
_VECTORS = st.none() | st.lists(_NUMBERS, min_size=3, max_size=3) | st.lists(_NUMBERS, max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(_VECTORS, _VECTORS), max_size=8),
    st.lists(st.none() | st.sampled_from([0.0, 1.0, 3.0]), min_size=3, max_size=3),
    st.integers(0, 8),
)
def test_elements_and_jumps_equal_a_slow_reference(
    pairs: list[tuple[list[float] | None, list[float] | None]], most: list[float | None], cut: int
) -> None:
    """However the rows are chunked and sliced."""
    if all(bound is None for bound in most):
        most = [1.0, None, None]
    whole = pa.table(
        {
            "observation": pa.array([now for now, _ in pairs], pa.list_(pa.float32())),
            "next_observation": pa.array([then for _, then in pairs], pa.list_(pa.float32())),
        }
    )
    held = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    far = [
        place
        for place, (now, _) in enumerate(pairs)
        if now is not None
        and (len(now) != 3 or any(b is not None and n > b for n, b in zip(now, most, strict=True)))
    ]
    elements = outcome(expect(ELEMENTS, column="observation", max_values=most), held)
    assert elements["unexpected_index_list"] == far if far else elements["success"]
    jumped = [
        place
        for place, (now, then) in enumerate(pairs)
        if now is not None
        and then is not None
        and len(now) == len(then) == 3
        and any(b is not None and abs(t - n) > b for n, t, b in zip(now, then, most, strict=True))
    ]
    jumps = outcome(expect(JUMP, max_values=most), held)
    assert jumps["unexpected_index_list"] == jumped if jumped else jumps["success"]


def _episode(**changes: list[Any]) -> pa.Table:
    length = max(map(len, changes.values()))
    rows = [
        row(
            CARTPOLE,
            step=step,
            observation=[float(step), 1.0, 0.0, 0.0],
            event_time=START + timedelta(seconds=step),
            terminated=step == length - 1,
        )
        for step in range(length)
    ]
    for name, values in changes.items():
        for held, value in zip(rows, values, strict=True):
            held[name] = value
    return table(CARTPOLE, *rows)


def _seen(*values: float) -> list[Any]:
    return [[value, 1.0, 0.0, 0.0] for value in values]


ORDER: list[tuple[dict[str, Any], pa.Table, list[int], int]] = [
    (expect("steps_to_be_consecutive"), _episode(step=[0, 1, 3, 4]), [2], 0),
    (expect("steps_to_be_consecutive"), _episode(step=[1, 2, 3]), [0], 0),
    (expect("steps_to_be_consecutive", first=None), _episode(step=[1, 2, 3]), [], 0),
    (expect("steps_to_be_consecutive"), _episode(step=[2, 1, 0]), [], 0),
    (expect("steps_to_be_consecutive"), _episode(step=[0, 1, 1, 2], event_id=["a", "b", "c", "d"]), [2], 0),
    (
        expect("event_time_to_increase_within_episode"),
        _episode(event_time=[START, START + timedelta(1), START, None, START]),
        [2],
        3,
    ),
    (
        expect("event_time_to_increase_within_episode", strictly=True),
        _episode(event_time=[START, START]),
        [1],
        1,
    ),
    (
        expect("next_observation_to_match"),
        _episode(next_observation=[*_seen(1, 1.5, 3), None, [9.0] * 4]),
        [1],
        2,
    ),
    (expect("ends_to_be_last"), _episode(terminated=[False, True, False, True]), [1], 0),
    (expect("sequence_jump_to_be_between", max_value=1), _episode(observation=_seen(0, 1, 3, 4)), [2], 1),
    (
        expect("sequence_to_satisfy", expression="abs(x - previous_x) <= 1", names={"x": "observation[0]"}),
        _episode(observation=_seen(0, 1, 3, 4)),
        [2],
        1,
    ),
    (expect("sequence_to_satisfy", expression="reward > 0"), _episode(reward=[1.0, 0.0, NAN]), [1], 1),
]


@pytest.mark.parametrize(("rule", "rows", "unexpected", "missing"), ORDER)
def test_a_rule_over_episodes_is_an_audit(
    rule: dict[str, Any], rows: pa.Table, unexpected: list[int], missing: int
) -> None:
    assert len(Gate(CARTPOLE, suite(rule)).audits) == 1  # and decides nothing
    result = outcome(rule, rows, CARTPOLE)
    assert result.get("unexpected_index_list", []) == unexpected
    assert (result["success"], result["missing_count"]) == (not unexpected, missing)
    order = np.random.default_rng(len(unexpected)).permutation(len(rows))
    shuffled = outcome(rule, rows.take(pa.array(order)), CARTPOLE)
    assert sorted(order[shuffled.get("unexpected_index_list", [])].tolist()) == unexpected


@pytest.mark.parametrize("what", ["steps_to_be_consecutive", "next_observation_to_match", "ends_to_be_last"])
def test_rules_over_episodes_need_their_columns(what: str) -> None:
    (result,) = suite(expect(what)).validate(pa.table({"reward": [1.0]})).to_dict()["results"]
    assert result["exception_info"]["raised_exception"]
    assert "has no column" in result["exception_info"]["exception_message"]


def test_an_empty_table_meets_every_rule() -> None:
    rules = [rule for rule, _, _, _ in ORDER] + [rule for spec, rule, *_ in AT_THE_GATE if spec == CARTPOLE]
    assert suite(*rules).validate(table(CARTPOLE), spec=CARTPOLE).success


def test_clean_experience_meets_the_rules() -> None:
    rows = rollout("CartPole-v1", 3, 1000)
    names = {"x": "observation[0]", "v": "observation[1]"}
    motion = "abs(x - previous_x - 0.02 * previous_v) < 1e-5"
    rules = [
        expect("steps_to_be_consecutive"),
        expect("next_observation_to_match"),
        expect("ends_to_be_last"),
        expect("ends_to_have_reward"),
        expect("observation_to_change"),
        expect(JUMP, max_values=[0.2, 2, 0.2, 3]),
        expect("sequence_jump_to_be_between", max_values=[0.2, 2, 0.2, 3]),
        expect("sequence_to_satisfy", expression=motion, names=names),
    ]
    result = suite(*rules).validate(rows, spec=spec_of("CartPole-v1"))
    assert result.success, [one["exception_info"] for one in result.to_dict()["results"]]
