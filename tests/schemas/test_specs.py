"""Specs and spaces: written and read back they are the same, and impossible ones are refused by name."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from schemas.archive_spec import ArchiveSpec, check_name
from schemas.errors import SpecError
from schemas.spaces import Box, Discrete, Scalar, Text, space_from_json
from schemas.step import quarantine_schema, steps_schema
from tests.schemas.strategies import specs

PLAIN: dict[str, Any] = {
    "name": "demo",
    "observation": {"type": "box", "shape": [2]},
    "action": {"type": "discrete", "n": 2},
}


@settings(deadline=None)
@given(spec=specs)
def test_json_and_yaml_and_back_are_the_same(spec: ArchiveSpec) -> None:
    for read in (
        json.loads(json.dumps(spec.to_json(), allow_nan=False)),
        yaml.safe_load(yaml.safe_dump(spec.to_json(), sort_keys=False)),
    ):
        again = ArchiveSpec.from_json(read)
        assert again == spec
        assert again.hash == spec.hash
        assert steps_schema(again) == steps_schema(spec)
    assert len(set(quarantine_schema(spec).names)) == len(quarantine_schema(spec).names)


def test_every_field_is_written() -> None:
    spec = ArchiveSpec(
        name="demo",
        observation=Box(shape=(2,), low=(-math.inf, 0.0), high=(math.inf, 4.8)),
        action=Discrete(n=2, start=-1),
        extras={"shop": Text(min_length=1, max_length=9), "at": Scalar(dtype="timestamp")},
        environment="CartPole-v1",
        reward_range=(-math.inf, 1.0),
        shared_reward=True,
        propensity="density",
        require_propensity=True,
        exclusive_ends=True,
        partition_by=("shop", "source"),
        allowed_clock_skew=timedelta(seconds=1.5),
        earliest_event_time=datetime(1969, 1, 1, tzinfo=UTC),
        max_partitions_per_commit=5,
        retention_days=7,
    )
    assert ArchiveSpec.from_json(json.loads(json.dumps(spec.to_json(), allow_nan=False))) == spec
    assert spec.hash != ArchiveSpec.from_json(PLAIN).hash
    assert spec.topic == "replaylake.demo"


def test_yaml_may_say_it_in_its_own_way() -> None:
    text = """
    name: demo
    observation: {type: box, shape: [2], low: [-.inf, 0], high: .inf}
    action: {type: tuple, spaces: [{type: discrete, n: 2}]}
    allowed_clock_skew: PT1H
    earliest_event_time: 2020-01-01T00:00:00Z
    """
    spec = ArchiveSpec.from_json(yaml.safe_load(text))
    assert spec.observation == Box(shape=(2,), low=(-math.inf, 0.0), high=math.inf)
    assert spec.allowed_clock_skew == timedelta(hours=1)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"type": "box", "shape": [0]}, "shape.0: .*greater than or equal to 1.*given: 0"),
        ({"type": "box", "shape": [-1]}, "given: -1"),
        ({"type": "box"}, "shape is missing"),
        ({"type": "box", "shape": [2], "dtype": "uint64"}, "'uint64'"),
        ({"type": "box", "shape": [2], "low": 1, "high": 0}, "low 1.0 is not at or below high 0.0"),
        ({"type": "box", "shape": [2], "low": math.nan}, "low nan"),
        ({"type": "box", "shape": [2], "low": [0, 5], "high": [1, 4]}, "low 5.0 is not at or below high 4.0"),
        ({"type": "box", "shape": [2], "low": [0]}, r"low has 1 values, and shape \(2,\) has 2"),
        ({"type": "box", "shape": [1], "dtype": "uint8", "low": 256}, "no uint8 lies between 256.0 and inf"),
        ({"type": "box", "shape": [1], "dtype": "int8", "low": 0.2, "high": 0.8}, "no int8 lies between"),
        ({"type": "box", "shape": [1], "dtype": "bool", "low": 2}, "no bool lies between"),
        ({"type": "discrete", "n": 0}, "n: .*given: 0"),
        ({"type": "discrete", "n": 2**63, "start": 1}, "do not fit 64 bits"),
        ({"type": "discrete", "n": 1, "start": -(2**63) - 1}, "do not fit 64 bits"),
        ({"type": "discrete", "n": "two"}, "given: 'two'"),
        ({"type": "multi_discrete", "nvec": []}, "nvec"),
        ({"type": "multi_discrete", "nvec": [2, 3], "start": [1]}, "start has 1 values, and nvec has 2"),
        ({"type": "multi_discrete", "nvec": [2, 3], "shape": [3]}, "does not hold the 2 values"),
        ({"type": "multi_discrete", "nvec": [2, 3], "shape": [-1, -2]}, "given: -1"),
        ({"type": "multi_discrete", "nvec": [2], "start": [2**63 - 1]}, "do not fit 64 bits"),
        ({"type": "multi_binary", "shape": []}, "shape"),
        ({"type": "text", "min_length": 3, "max_length": 2}, "min_length 3 is above max_length 2"),
        ({"type": "scalar", "dtype": "complex"}, "'complex'"),
        ({"type": "dict", "spaces": {}}, "spaces"),
        ({"type": "dict", "spaces": {"a b": {"type": "discrete", "n": 2}}}, "'a b' is not letters"),
        ({"type": "dict", "spaces": {"a\n": {"type": "discrete", "n": 2}}}, "is not letters"),
        ({"type": "tuple", "spaces": [{"type": "dict", "spaces": {}}]}, "tuple.spaces.0.dict.spaces"),
        ({"type": "sphere"}, "sphere"),
        ({"shape": [2]}, "type"),
        ({"type": "box", "shape": [2], "colour": 1}, "colour"),
        ([1], "given: \\[1\\]"),
        (None, "given: None"),
    ],
)
def test_an_impossible_space_is_refused_by_its_value(space: Any, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        space_from_json(space)
    assert "A space is a box" in str(caught.value)
    with pytest.raises(SpecError, match=says) as caught:
        ArchiveSpec.from_json(PLAIN | {"observation": space})
    assert "archive create --help" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_box_costs_nothing_to_describe() -> None:
    assert Box(shape=(10**6, 10**6)).size == 10**12


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Bad"}, "archive name 'Bad' is not possible"),
        ({"name": "demo\n"}, "is not possible"),
        ({"name": "main"}, "taken by SQL"),
        ({"name": 5}, "name: .*given: 5"),
        ({"extras": {"Upper": {"type": "text"}}}, "'Upper' is not lower-case"),
        ({"extras": {"x\n": {"type": "text"}}}, "is not lower-case"),
        ({"extras": {"reward": {"type": "text"}}}, "'reward' has the name of a column of the step"),
        ({"extras": {"date": {"type": "text"}}}, "has the name of a column"),
        ({"extras": {"version": {"type": "text"}}}, "has the name of a column"),
        ({"extras": {"action_probability": {"type": "text"}}}, "has the name of a column"),
        ({"partition_by": ["reward"]}, "'reward' cannot partition"),
        ({"partition_by": ["date"]}, "'date' cannot partition"),
        ({"partition_by": ["nothing"]}, "'nothing' cannot partition"),
        ({"partition_by": ["source", "source"]}, "names a column twice"),
        ({"reward_range": [1, 0]}, "is not low, high"),
        ({"reward_range": [math.nan, 0]}, "is not low, high"),
        ({"allowed_clock_skew": -1}, "negative"),
        ({"earliest_event_time": "2020-01-01T00:00:00"}, "timezone"),
        ({"retention_days": 0}, "retention_days"),
        ({"rewrad_range": [0, 1]}, "rewrad_range"),
    ],
)
def test_an_impossible_spec_is_refused_by_its_value(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        ArchiveSpec.from_json(PLAIN | changes)


@pytest.mark.parametrize("content", [None, [], "demo", 5])
def test_a_spec_that_is_no_mapping_is_refused(content: Any) -> None:
    with pytest.raises(SpecError, match="The spec is not possible"):
        ArchiveSpec.from_json(content)


@pytest.mark.parametrize("name", ["a", "a1_b", "select", "a" * 63])
def test_names_that_can_be(name: str) -> None:
    check_name(name)
