"""A row that cannot be a step is refused in one line that names the value and the mend."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.decode import decode
from schemas.errors import StepsError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, Scalar, Text, Tuple
from schemas.steps import Steps
from tests.schemas.strategies import message

SPEC = ArchiveSpec(
    name="demo",
    observation=Box(shape=(2,)),
    action=Discrete(n=2),
    extras={
        "image": Box(shape=(1, 2), dtype="uint8"),
        "small": Box(shape=(1,), dtype="int8"),
        "bits": MultiBinary(shape=(2,)),
        "pair": Dict(spaces={"a": Discrete(n=2)}),
        "couple": Tuple(spaces=(Discrete(n=2), Text())),
        "seen": Scalar(dtype="timestamp"),
    },
)


def test_python_and_numpy_values_are_taken(demo_row: dict[str, Any]) -> None:
    changes = {
        "observation": np.array([0.5, 1.0], np.float64),
        "action": np.int32(1),
        "reward": np.float32(0.5),
        "terminated": np.bool_(True),
        "image": np.array([[0, 255]], np.uint8),
        "small": [np.int8(-128)],
        "bits": np.array([True, False]),
        "pair": {"a": 1.0},
        "couple": (1, "é"),
        "seen": 0,
        "info": {"a": np.float32(0.5), "b": float("nan"), "c": (1, np.array([2])), "d": b"\x00"},
        "version": 2,
        "event_id": None,
    }
    [row] = Steps.from_rows([demo_row | changes], SPEC).table.to_pylist()
    assert row["image"] == b"\x00\xff"
    assert row["bits"] == [1, 0]
    assert row["couple"] == {"item_0": 1, "item_1": "é"}
    assert json.loads(row["info"]) == {"a": 0.5, "b": "NaN", "c": [1, [2]], "d": "AA=="}
    assert (row["terminated"], row["reward"], row["source"], row["priority"]) == (True, 0.5, "default", 1.0)


@pytest.mark.parametrize(
    ("changes", "says", "reason"),
    [
        ({"action": 1.9}, "action is 1.9, and a whole number is expected", "wrong_type(action)"),
        ({"action": True}, "action is True, and a whole number", "wrong_type(action)"),
        ({"action": "1"}, "action is '1', and a whole number", "wrong_type(action)"),
        ({"action": [1]}, "a whole number is expected", "wrong_type(action)"),
        ({"action": 1 + 0j}, "a whole number is expected", "wrong_type(action)"),
        ({"action": np.complex64(1)}, "a whole number is expected", "wrong_type(action)"),
        ({"action": float("nan")}, "a whole number is expected", "wrong_type(action)"),
        ({"step": 2**63}, "a number of 64 bits is expected", "wrong_type(step)"),
        ({"step": 10**400}, "a number of 64 bits is expected", "wrong_type(step)"),
        ({"reward": "2.5"}, "reward is '2.5', and a number is expected", "wrong_type(reward)"),
        ({"reward": False}, "reward is False, and a number", "wrong_type(reward)"),
        ({"reward": 10**400}, "a number of 64 bits", "wrong_type(reward)"),
        ({"terminated": 0}, "terminated is 0, and true or false", "wrong_type(terminated)"),
        ({"source": 5}, "source is 5, and a string", "wrong_type(source)"),
        ({"source": "\ud800"}, "without lone surrogates", "wrong_type(source)"),
        ({"event_time": "noon"}, "event_time is 'noon', and ISO 8601", "wrong_type(event_time)"),
        ({"event_time": "2026-01-01"}, "a time with its zone is expected", "wrong_type(event_time)"),
        ({"seen": True}, "ISO 8601, epoch", "wrong_type(seen)"),
        ({"info": object()}, "JSON cannot hold it", "wrong_type(info)"),
        ({"image": [0, 256]}, "numbers from 0 to 255", "wrong_type(image)"),
        ({"image": "A"}, "base64 is expected", "wrong_type(image)"),
        ({"small": [128]}, "a number of 8 bits", "wrong_type(small)"),
        ({"small": [True]}, "a whole number", "wrong_type(small)"),
        ({"bits": [2.5, 0]}, "a whole number", "wrong_type(bits)"),
        ({"pair": [1]}, "an object is expected", "wrong_type(pair)"),
        ({"pair": {"a": 1, "b": None}}, "its fields are a", "wrong_type(pair)"),
        ({"couple": [1]}, "2 items are expected", "wrong_type(couple)"),
        ({"zz": 1}, "'zz' is not one of the step", "unknown_field(zz)"),
        ({"state": [1.0]}, "'state' is not one of the step", "unknown_field(state)"),
        ({"z" * 999: 1}, "…", f"unknown_field({'z' * 60})"),
        ({"\ud800": 1}, "ud800", "unknown_field(\\ud800)"),
        ({"action_probability": 0.5, "action_log_prob": -1.0}, "both", "wrong_type(action_probability)"),
        ({"action_probability": "x"}, "a number is expected", "wrong_type(action_probability)"),
        ({"version": 99}, "version 99; this reader knows 1, 2", "unsupported_version"),
        ({"version": 1}, "version 1", "unsupported_version"),
    ],
)
def test_a_wrong_value_is_named(
    demo_row: dict[str, Any], changes: dict[str, Any], says: str, reason: str
) -> None:
    with pytest.raises(StepsError) as caught:
        Steps.from_rows([demo_row, demo_row | changes], SPEC)
    said = str(caught.value)
    assert says in said
    assert said.startswith("Row 1: ")
    assert "\n" not in said
    assert len(said) < 400
    assert caught.value.reason == reason
    assert caught.value.hint
    reason.encode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"observation": [0.5]},
            r"Row 1: observation \[0.5\] has not the shape of Box.*See the archive's spec",
        ),
        ({"observation": [0.5, None]}, "has not the shape"),
        ({"next_observation": [1.0] * 3}, "next_observation .* has not the shape"),
        ({"image": b"a"}, "image b'a' has not the shape"),
        ({"pair": {"a": None}}, "pair .* has not the shape"),
        ({"observation": None}, "Row 1 has no observation. Every step needs one"),
        ({"action": None}, "Row 1 has no action"),
        ({"terminated": None}, "Row 1 has no terminated"),
        ({"step": None}, "Row 1 has neither an event_id nor an episode_id and a step"),
        ({"episode_id": None}, "A step is known by its place in an episode"),
    ],
)
def test_a_row_of_the_wrong_shape_is_named(
    demo_row: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(StepsError, match=says):
        Steps.from_rows([demo_row, demo_row | changes], SPEC)


def test_no_rows_are_steps_too() -> None:
    assert len(Steps.from_rows([], SPEC)) == 0


def test_steps_are_compared_and_never_a_key(demo_steps: Steps, demo_row: dict[str, Any]) -> None:
    again = Steps.from_rows([demo_row, {**demo_row, "step": 2}], demo_steps.spec)
    assert demo_steps == again
    assert demo_steps != Steps.from_rows([demo_row], demo_steps.spec)
    assert demo_steps != "steps"
    assert repr(demo_steps) == "Steps(demo, 2 rows)"
    with pytest.raises(TypeError):
        hash(demo_steps)


def test_a_field_name_that_is_no_text_is_a_fault_that_can_be_stored() -> None:
    found = decode([message(b'{"\\ud800": 1}')], SPEC, "t")
    [fault] = found.faults
    assert fault.reason.encode() and fault.detail.encode()
