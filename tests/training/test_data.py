"""Preparing transitions, and drawing batches from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from schemas.errors import TrainingError
from schemas.spaces import Box, Discrete, MultiDiscrete, Space
from tests.training.samples import CHAIN_ACTION, CHAIN_OBSERVATION, chain, transitions
from training.data import Normaliser, UniformSampler, prepare


def test_observations_are_normalised_and_actions_counted_from_zero() -> None:
    data = chain()
    prepared = prepare(data, CHAIN_OBSERVATION, CHAIN_ACTION, normalise=True)
    ready = prepared.transitions
    assert np.allclose(ready.observation.astype(float).mean(axis=0), 0, atol=1e-6)
    assert np.allclose(ready.observation.astype(float).std(axis=0), 1, atol=1e-6)
    assert ready.observation.dtype == ready.next_observation.dtype == np.float32
    assert ready.action.min() == 0 and ready.action.max() == 1
    assert (prepared.observation_size, prepared.actions) == (2, 2)
    assert data.action.min() == 10, "what was given must stay as it was"


def test_without_normalising_observations_stay_as_they_are() -> None:
    data = chain()
    ready = prepare(data, CHAIN_OBSERVATION, CHAIN_ACTION, normalise=False).transitions
    assert np.array_equal(ready.observation, data.observation)


def test_a_feature_that_does_not_vary_is_centred_and_not_blown_up() -> None:
    observations = np.stack([np.full(100, 0.1, np.float32), np.arange(100, dtype=np.float32)], axis=1)
    normaliser = Normaliser.of(observations)
    assert normaliser.scale[0] == 1.0
    assert np.allclose(normaliser(observations)[:, 0], 0)
    assert np.allclose(normaliser(np.array([[0.6, 0.0]], np.float32))[0, 0], 0.5)


def test_bytes_are_read_as_numbers() -> None:
    base = transitions([1, 1], terminated=[False, True], follows=[True, False])
    data = replace(
        base,
        observation=np.array([[0], [255]], np.uint8),
        next_observation=np.array([[255], [0]], np.uint8),
    )
    ready = prepare(data, Box(shape=(1,), dtype="uint8"), Discrete(n=1), normalise=True).transitions
    assert ready.observation.ravel().tolist() == [-1, 1]


def test_what_stands_after_a_terminated_row_is_not_read() -> None:
    base = transitions([1, 1], terminated=[False, True], follows=[True, False])
    data = replace(base, next_observation=np.array([[1.0], [np.nan]], np.float32))
    ready = prepare(data, Box(shape=(1,)), Discrete(n=1), normalise=True).transitions
    assert ready.next_observation[1, 0] == 0


@pytest.mark.parametrize(
    ("observation", "action", "named"),
    [
        (Discrete(n=3), Discrete(n=2), "Discrete"),
        (Box(shape=(2, 2)), Discrete(n=2), r"Box .*\[2, 2\]"),
        (Box(shape=()), Discrete(n=2), "Box"),
        (Box(shape=(1,)), Box(shape=(1,)), "Actions of the space Box"),
        (Box(shape=(1,)), MultiDiscrete(nvec=(2, 2)), "MultiDiscrete"),
    ],
)
def test_a_space_that_is_not_supported_is_named(observation: Space, action: Space, named: str) -> None:
    data = transitions([1], terminated=[True], follows=[False])
    with pytest.raises(TrainingError, match=named) as caught:
        prepare(data, observation, action, normalise=True)
    assert "Supported is" in caught.value.hint


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="no transitions"):
        prepare(transitions([], terminated=[], follows=[]), Box(shape=(1,)), Discrete(n=1), normalise=True)


def test_a_shape_that_is_not_the_space_s_is_refused() -> None:
    data = transitions([1], terminated=[True], follows=[False])
    with pytest.raises(TrainingError, match=r"shape \(1,\), and the space says \(4,\)"):
        prepare(data, Box(shape=(4,)), Discrete(n=1), normalise=True)


@pytest.mark.parametrize("outside", [-1, 2])
def test_an_action_outside_its_space_is_named(outside: int) -> None:
    data = transitions([1, 1], terminated=[False, True], follows=[True, False])
    data = replace(data, action=np.array([0, outside]))
    with pytest.raises(TrainingError, match=f"Row 1 has the action {outside}, outside 0 to 1"):
        prepare(data, Box(shape=(1,)), Discrete(n=2), normalise=True)


def test_actions_that_are_no_whole_numbers_are_refused() -> None:
    data = replace(transitions([1], terminated=[True], follows=[False]), action=np.array([0.5]))
    with pytest.raises(TrainingError, match="float64"):
        prepare(data, Box(shape=(1,)), Discrete(n=2), normalise=True)


@pytest.mark.parametrize("column", ["observation", "next_observation", "reward"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_counted_and_placed(column: str, value: float) -> None:
    data = transitions([1, 1, 1], terminated=[False, False, True], follows=[True, True, False])
    wrong = np.array(getattr(data, column))
    wrong[1] = value
    with pytest.raises(TrainingError, match=rf"1 of 3 rows have a {column} .* row 1\."):
        prepare(replace(data, **{column: wrong}), Box(shape=(1,)), Discrete(n=1), normalise=True)


def sampler(rows: int, batch: int, seed: int) -> UniformSampler:
    numbers = torch.arange(rows)
    return UniformSampler({"a": numbers, "b": numbers * 10}, batch, torch.Generator().manual_seed(seed))


def test_a_batch_takes_the_same_rows_of_every_column() -> None:
    batch = sampler(50, 32, seed=1).sample()
    assert len(batch["a"]) == 32
    assert torch.equal(batch["a"] * 10, batch["b"])


def test_batches_hang_on_the_seed_alone() -> None:
    first, second, other = sampler(1000, 64, 1), sampler(1000, 64, 1), sampler(1000, 64, 2)
    for _ in range(3):
        batch = first.sample()["a"]
        assert torch.equal(batch, second.sample()["a"])
        assert not torch.equal(batch, other.sample()["a"])


def test_every_row_is_drawn_about_equally_often() -> None:
    source = sampler(10, 1000, seed=3)
    counts = sum(torch.bincount(source.sample()["a"], minlength=10) for _ in range(20))
    assert isinstance(counts, torch.Tensor)
    # 20,000 draws: 2,000 each, with a standard deviation of 42; 6 of them are never seen
    assert int((counts - 2000).abs().max()) < 255


def test_fewer_rows_than_a_batch_are_drawn_several_times() -> None:
    assert sampler(2, 64, seed=0).sample()["a"].bincount().count_nonzero() == 2


@pytest.mark.parametrize("lengths", [(0, 0), (3, 4)])
def test_columns_that_cannot_be_sampled_are_refused(lengths: tuple[int, int]) -> None:
    columns = {"a": torch.zeros(lengths[0]), "b": torch.zeros(lengths[1])}
    with pytest.raises(ValueError, match="lengths"):
        UniformSampler(columns, 4, torch.Generator())
