"""The reader and the SQL view make the same transitions as a slow reference."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import read_transitions
from schemas.archive_spec import ArchiveSpec
from schemas.errors import DataError, UsageError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from tests.lake.archives import append, make, row
from tests.lake.logs import logs
from tests.lake.reference import transitions


@settings(max_examples=40, deadline=None)
@given(log=logs(), cut=st.integers(0, 20))
def test_reader_and_view_agree_with_the_reference(log: list[dict[str, Any]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder))
        for part in (log[:cut], log[cut:]):
            if part:
                append(archive, *part)
        expected = transitions(log)

        columns = "observation[1], action, reward, next_observation[1], terminated"
        view = lake.sql(f"select {columns} from demo.transitions").rows()
        assert Counter(view) == Counter(tuple(held[:5]) for held in expected)

        if not expected:
            with pytest.raises(DataError, match="no transition among them"):
                read_transitions(archive.snapshot())
            return
        read = read_transitions(archive.snapshot())
        assert read.observation[:, 0].tolist() == [held.observation for held in expected]
        assert read.action.tolist() == [held.action for held in expected]
        assert read.reward.tolist() == [held.reward for held in expected]
        assert read.next_observation[:, 0].tolist() == [held.next_observation or 0.0 for held in expected]
        assert read.terminated.tolist() == [held.terminated for held in expected]
        assert read.follows.tolist() == [held.follows for held in expected]


def test_an_episode_by_hand(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(
        archive,
        row(3, truncated=True, next_observation=[9.0]),
        row(1),
        row(0),
        row(2, reward=None),
        row(5),  # step 4 never came, and 6 neither
        row(0, episode_id="f", terminated=True),
        row(1, episode_id="g", truncated=True),  # truncated, and nobody knows where
    )
    read = read_transitions(archive.snapshot())
    assert read.observation[:, 0].tolist() == [0.0, 1.0, 3.0, 0.0]
    assert read.next_observation[:, 0].tolist() == [1.0, 2.0, 9.0, 0.0]
    assert read.terminated.tolist() == [False, False, False, True]
    assert read.follows.tolist() == [True, False, False, False]


def test_a_condition_leaves_no_bridge_over_what_it_leaves_out(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(5)))
    read = read_transitions(archive.snapshot("step <> 2"))
    assert read.observation[:, 0].tolist() == [0.0, 3.0]
    assert read.follows.tolist() == [False, False]


@pytest.mark.parametrize(
    ("space", "values", "shape", "dtype"),
    [
        (Box(shape=(2, 2), dtype="uint8"), [b"\x00\x01\x02\xff", b"\x05\x06\x07\x08"], (2, 2), np.uint8),
        (Box(shape=(3,), dtype="float16"), [[0.5, 1.0, 1.5]] * 2, (3,), np.float16),
        (Box(shape=(), dtype="float64"), [[0.5], [1.0]], (), np.float64),
        (Box(shape=(2,), dtype="uint32"), [[0, 2**32 - 1]] * 2, (2,), np.uint32),
        (Box(shape=(2,), dtype="bool"), [[True, False]] * 2, (2,), np.bool_),
        (Discrete(n=3, start=-1), [-1, 1], (), np.int64),
        (MultiDiscrete(nvec=(2, 3)), [[0, 2], [1, 1]], (2,), np.int64),
        (MultiDiscrete(nvec=(2, 3, 2, 2), shape=(2, 2)), [[0, 2, 1, 1]] * 2, (2, 2), np.int64),
        (MultiBinary(shape=(2, 2)), [[0, 1, 1, 0]] * 2, (2, 2), np.int8),
    ],
)
def test_columns_become_arrays_of_the_space(
    tmp_path: Path, space: Space, values: list[Any], shape: tuple[int, ...], dtype: Any
) -> None:
    spec = ArchiveSpec(name="demo", observation=space, action=space)
    _, archive = make(tmp_path, spec)
    append(archive, *(row(n, observation=value, action=value) for n, value in enumerate(values)))
    read = read_transitions(archive.snapshot())

    flat = [list(value) if isinstance(value, list | bytes) else value for value in values]
    expected = np.array(flat, dtype).reshape(2, *shape)
    assert read.observation.dtype == read.action.dtype == dtype
    assert np.array_equal(read.observation, expected[:1])
    assert np.array_equal(read.action, expected[:1])
    assert np.array_equal(read.next_observation, expected[1:])


def test_a_space_of_several_columns_is_refused(tmp_path: Path) -> None:
    spec = ArchiveSpec(name="demo", observation=Dict(spaces={"a": Discrete(n=2)}), action=Discrete(n=2))
    _, archive = make(tmp_path, spec)
    append(archive, row(0, observation={"a": 1}, terminated=True))
    with pytest.raises(UsageError, match="The observation has the fields a, and is no one array"):
        read_transitions(archive.snapshot())
