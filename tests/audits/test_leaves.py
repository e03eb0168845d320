"""Every number of a step is a leaf: by its name, in its row, NaN where it is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Discrete, MultiBinary, Scalar
from tests.validation.rows import CARTPOLE, GOOD, PUZZLE, ROBOT, row, table
from validation.audits.leaves import categorical_leaves, column_of, numeric_leaves, space_arrays

_NUMBERS = st.none() | st.floats(width=32)
_VECTORS = st.none() | st.lists(_NUMBERS, min_size=3, max_size=3) | st.lists(_NUMBERS, max_size=5)


def told(values: Any) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


@settings(deadline=None)
@given(rows=st.lists(_VECTORS, max_size=30), cuts=st.integers(1, 4))
def test_elements_are_those_of_a_loop(rows: list[list[float | None] | None], cuts: int) -> None:
    column = pa.array(rows, pa.list_(pa.float32()))
    parts = pa.chunked_array([column[at : at + cuts] for at in range(0, len(rows), cuts)], column.type)
    spec = ArchiveSpec(name="any", observation=Box(shape=(3,)), action=Discrete(n=2))
    leaves = numeric_leaves(pa.table({"observation": parts}), spec)
    assert list(leaves) == [f"observation[{index}]" for index in range(3)]
    for index in range(3):
        wanted = [
            held[index] if held is not None and len(held) == 3 and held[index] is not None else math.nan
            for held in rows
        ]
        np.testing.assert_array_equal(leaves[f"observation[{index}]"], wanted)


def test_leaves_of_structs_bytes_and_numbers_have_their_names() -> None:
    rows = table(
        PUZZLE, row(PUZZLE), row(PUZZLE, next_observation=GOOD["puzzle"]["observation"], reward=None)
    )
    leaves = numeric_leaves(rows, PUZZLE)
    assert leaves["observation.board[3]"].tolist() == [9.0, 9.0]
    assert leaves["observation.clock[0]"].tolist() == [30.0, 30.0]
    assert leaves["action[1]"].tolist() == [7.0, 7.0]
    assert told(leaves["reward"]) == [1.0, None]
    assert told(leaves["next_observation.board[2]"]) == [None, 2.0]
    assert told(leaves["discount"]) == [None, None]
    robot = numeric_leaves(table(ROBOT, row(ROBOT)), ROBOT)
    assert robot["observation.item_0[1]"].tolist() == [2.0] and robot["observation.item_1"].tolist() == [3.0]


def test_categories_are_what_names_and_not_what_counts() -> None:
    named = categorical_leaves(table(PUZZLE, row(PUZZLE, policy_version="v1"), row(PUZZLE)), PUZZLE)
    assert {leaf: held.to_list() for leaf, held in named.items()} == {
        "action[0]": [1, 1],
        "action[1]": [7, 7],
        "terminated": [False, False],
        "truncated": [False, False],
        "policy_version": ["v1", None],
    }
    cartpole = categorical_leaves(table(CARTPOLE, row(CARTPOLE, word="up", won=True)), CARTPOLE)
    assert cartpole["word"].to_list() == ["up"] and cartpole["won"].to_list() == [True]
    assert cartpole["action"].to_list() == [1] and "lives" not in cartpole


def test_a_plain_table_needs_no_spec_and_keys_are_no_leaves() -> None:
    plain = pl.DataFrame(
        {
            "x": [1, None],
            "v": [[1.0, 2.0], [3.0]],
            "name": ["a", "b"],
            "step": [0, 1],
            "deep": [{"y": 2.5}] * 2,
        }
    )
    leaves = numeric_leaves(plain)
    assert {leaf: told(held) for leaf, held in leaves.items()} == {
        "x": [1.0, None],
        "v[0]": [None, 3.0],
        "deep.y": [2.5, 2.5],
    } or {leaf: told(held) for leaf, held in leaves.items()} == {
        "x": [1.0, None],
        "v[0]": [1.0, None],
        "v[1]": [2.0, None],
        "deep.y": [2.5, 2.5],
    }
    assert list(categorical_leaves(plain)) == ["name"]
    assert numeric_leaves(plain, columns=["step", "nothing"])["step"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_come_as_summaries(dtype: Any) -> None:
    spec = ArchiveSpec(name="any", observation=Box(shape=(9, 9), dtype=dtype), action=Discrete(n=2))
    pixels = np.random.default_rng(0).integers(0, 255, (50, 81))
    held = [bytes(line.tolist()) if dtype == "uint8" else line.tolist() for line in pixels]
    leaves = numeric_leaves(
        pa.table({"observation": pa.array([*held, None], spec.observation.arrow_type)}), spec
    )
    assert list(leaves) == [f"observation.{name}" for name in ("mean", "std", "min", "max")]
    np.testing.assert_allclose(leaves["observation.mean"][:50], pixels.mean(1))
    np.testing.assert_allclose(leaves["observation.std"][:50], pixels.std(1))
    np.testing.assert_array_equal(leaves["observation.max"][:50], pixels.max(1))
    assert all(np.isnan(values[50]) for values in leaves.values())


def test_an_empty_table_has_the_leaves_of_its_spec() -> None:
    assert {leaf: len(held) for leaf, held in numeric_leaves(table(ROBOT), ROBOT).items()} == dict.fromkeys(
        [
            *(
                "observation.item_0[0]",
                "observation.item_0[1]",
                "observation.item_1",
                "action[0]",
                "action[1]",
            ),
            *("reward", "next_observation.item_0[0]", "next_observation.item_0[1]"),
            *("next_observation.item_1", "discount", "action_log_prob"),
        ],
        0,
    )


def test_times_and_flags_are_numbers_where_they_are_asked_for() -> None:
    spec = CARTPOLE.model_copy(update={"extras": {"seen": Scalar(dtype="timestamp")}})
    rows = pa.table({"seen": pa.array([1_500_000], pa.timestamp("us", "UTC")), "flags": pa.array([[1, 0]])})
    assert numeric_leaves(rows, spec)["seen"].tolist() == [1.5]
    binary = CARTPOLE.model_copy(update={"action": MultiBinary(shape=(2,)), "extras": {}})
    rows = pa.table({"action": pa.array([[1, 0]], pa.list_(pa.int8()))})
    assert categorical_leaves(rows, binary)["action[1]"].to_list() == [0]


def test_arrays_have_the_shape_that_a_policy_takes() -> None:
    rows = table(PUZZLE, row(PUZZLE), row(PUZZLE))
    seen = space_arrays(rows["observation"], PUZZLE.observation)
    assert seen["board"].tolist() == [[[0, 1], [2, 9]]] * 2 and seen["clock"].shape == (2,)
    assert space_arrays(rows["action"], PUZZLE.action).tolist() == [[1, 7]] * 2
    with pytest.raises(UsageError, match="no numbers for a policy"):
        space_arrays(pa.chunked_array([["a"]]), Scalar(dtype="string"))


def test_a_leaf_tells_its_column() -> None:
    assert [column_of(leaf) for leaf in ("reward", "observation[2]", "observation.board[3]")] == [
        "reward",
        "observation",
        "observation",
    ]
