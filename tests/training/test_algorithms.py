"""Configs, the table of names, and what one update does."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from schemas.errors import NotFoundError, UsageError
from tests.training.samples import CHAIN_ACTION, CHAIN_OBSERVATION, assert_close, chain
from training.adam import Adam
from training.algorithms import AlgorithmConfig, algorithms, find_algorithm, make_config, make_network
from training.algorithms.base import blend, frozen_copy
from training.algorithms.bc import BC, BCConfig
from training.algorithms.cql import CQL, DQN, CQLConfig, CQLState
from training.data import UniformSampler, prepare
from training.losses import chosen_values, double_q_target, huber

CPU = torch.device("cpu")


def test_the_table_lists_every_algorithm_by_name() -> None:
    assert [algorithm.name for algorithm in algorithms()] == ["bc", "cql", "dqn"]
    assert find_algorithm("cql") is CQL


def test_an_unknown_algorithm_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"no algorithm 'ppo'. There are: bc, cql, dqn\."):
        find_algorithm("ppo")


@pytest.mark.parametrize("algorithm", algorithms(), ids=lambda algorithm: algorithm.name)
def test_a_config_round_trips_through_json_and_is_frozen(algorithm: Any) -> None:
    config = make_config(algorithm, {"hidden": (32,), "updates": 7})
    assert algorithm.config.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValueError, match="frozen"):
        config.updates = 8  # type: ignore[misc]


@pytest.mark.parametrize("algorithm", algorithms(), ids=lambda algorithm: algorithm.name)
def test_every_setting_says_what_it_is(algorithm: Any) -> None:
    assert all(field.description for field in algorithm.config.model_fields.values())


def test_dqn_is_cql_whose_alpha_is_0_unless_said_otherwise() -> None:
    assert make_config(DQN, {}) == make_config(CQL, {"alpha": 0})
    assert make_config(DQN, {"alpha": 0.5}) == make_config(CQL, {"alpha": 0.5})


def test_an_unknown_setting_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        make_config(CQL, {"alhpa": 0.2})
    assert str(caught.value).startswith("The algorithm 'cql' has no setting 'alhpa' (given: 0.2).")
    assert "Did you mean 'alpha'?" in caught.value.hint
    assert "n_step" in caught.value.hint


def test_a_setting_of_another_algorithm_is_unknown() -> None:
    with pytest.raises(UsageError, match="'bc' has no setting 'gamma'"):
        make_config(BC, {"gamma": 0.9})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alpha", -0.1),
        ("alpha", math.nan),
        ("gamma", 1.01),
        ("n_step", 0),
        ("n_step", 2.5),
        ("updates", 0),
        ("batch_size", "many"),
        ("learning_rate", 0),
        ("learning_rate", math.inf),
        ("average_decay", 1.0),
        ("target_share", 0),
        ("members", 0),
        ("hidden", (64, 0)),
        ("hidden", None),
        ("normalise_observations", "perhaps"),
    ],
)
def test_an_impossible_setting_is_named_with_its_value(key: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        make_config(CQL, {key: value})
    assert key in caught.value.message
    shown = "0" if key == "hidden" and value else repr(value)
    assert f"(given: {shown})" in caught.value.message
    assert caught.value.hint


def test_the_network_is_drawn_from_its_generator_alone() -> None:
    config = BCConfig(hidden=(8,), members=2)
    before = torch.get_rng_state()
    first, second, other = (
        make_network(3, 2, config, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_members_of_the_network_compute_what_each_would_alone() -> None:
    network = make_network(3, 2, BCConfig(hidden=(8, 5), members=3), torch.Generator().manual_seed(0))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    out, state = network(x)
    assert out.shape == (3, 4, 2) and state is None
    for member in range(3):
        alone = x
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            alone = (alone.relu() if layer else alone) @ weight[member] + bias[member]
        assert_close(out[member], alone)


def test_a_network_without_hidden_layers_is_linear() -> None:
    network = make_network(2, 2, BCConfig(hidden=(), members=1))
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    assert_close(network(x)[0][0] * 2, network(2 * x)[0][0] + network.biases[0][0])


def test_adam_follows_its_equation() -> None:
    start = np.linspace(-1, 1, 6)
    expected, first, second = start.copy(), np.zeros(6), np.zeros(6)
    found = torch.from_numpy(start.astype(np.float32))
    adam = Adam([found])
    for step in range(1, 6):
        gradient = np.cos(start * step)
        adam.step([torch.from_numpy(gradient.astype(np.float32))], 0.1 / step)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        expected -= 0.1 / step * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    assert np.allclose(found.numpy(), expected, atol=1e-6)


def test_adam_s_first_step_is_the_rate_against_the_sign_of_the_gradient() -> None:
    value = torch.tensor([1.0, 1.0])
    Adam([value]).step([torch.tensor([4.0, -0.01])], 0.1)
    assert_close(value, torch.tensor([0.9, 1.1]))


def test_blend_moves_by_the_share_and_copies_exactly_at_1() -> None:
    config = BCConfig(hidden=())
    here, there = (make_network(2, 2, config, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    target, start = frozen_copy(here), frozen_copy(here)
    blend(target, there, 0.25)
    for moved, a, b in zip(target.parameters(), start.parameters(), there.parameters(), strict=True):
        assert_close(moved, 0.75 * a + 0.25 * b)
    blend(target, there, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(target.parameters(), there.parameters(), strict=True))


def learner(config: CQLConfig) -> tuple[CQLState, UniformSampler]:
    prepared = prepare(chain(), CHAIN_OBSERVATION, CHAIN_ACTION, normalise=True)
    arrays = CQL.columns(prepared, config)
    state = CQL.init(config, 2, 2, torch.Generator().manual_seed(3), CPU)
    batches = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return state, UniformSampler(batches, config.batch_size, torch.Generator().manual_seed(4))


def test_with_alpha_0_cql_is_double_dqn_exactly() -> None:
    """Three updates written out here, without the regulariser, give the same weights bit for bit."""
    config = CQLConfig(alpha=0, target_every=2, updates=10, batch_size=16, hidden=(8,), average_decay=0.5)
    state, sampler = learner(config)
    network, target = copy.deepcopy(state.network), copy.deepcopy(state.target)
    adam, average = Adam(list(network.parameters())), copy.deepcopy(state.average)
    for count in range(1, 4):
        batch = sampler.sample()
        CQL.update(state, batch, config)
        with torch.no_grad():
            following = batch["next_observation"]
            y = double_q_target(
                batch["reward"], batch["discount"], network(following)[0], target(following)[0]
            )
        loss = huber(chosen_values(network(batch["observation"])[0], batch["action"]) - y).mean()
        rate = config.learning_rate * (1 - 0.95 * (count - 1) / 10)
        adam.step(torch.autograd.grad(loss, adam.parameters), rate)
        blend(average, network, max(0.5, 1 / count))
        if count == 2:
            blend(target, network, 1.0)
        for ours, theirs in ((state.network, network), (state.target, target), (state.average, average)):
            assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_metrics_add_up_to_the_loss() -> None:
    config = CQLConfig(alpha=0.7, hidden=(8,))
    state, sampler = learner(config)
    metrics = CQL.update(state, sampler.sample(), config)
    assert_close(metrics["loss"], metrics["td_loss"] + 0.7 * metrics["regulariser"])
    assert "regulariser" not in CQL.update(*_with_alpha_0())


def _with_alpha_0() -> tuple[CQLState, dict[str, torch.Tensor], CQLConfig]:
    config = CQLConfig(alpha=0, hidden=(8,))
    state, sampler = learner(config)
    return state, sampler.sample(), config


def test_members_learn_apart_from_each_other() -> None:
    """The second member of two is what it would be had its companion started elsewhere."""
    config = CQLConfig(hidden=(8,), members=2, updates=10, batch_size=16)
    state, sampler = learner(config)
    other, _ = learner(config)
    with torch.no_grad():
        for weights in (other.network.weights, other.target.weights):
            weights[0][0] += 1.0
    for _ in range(3):
        batch = sampler.sample()
        CQL.update(state, batch, config)
        CQL.update(other, batch, config)
    assert torch.equal(state.network.weights[0][1], other.network.weights[0][1])
    assert not torch.equal(state.network.weights[0][0], other.network.weights[0][0])


def test_the_common_settings_are_the_same_for_bc() -> None:
    assert set(BCConfig.model_fields) == set(AlgorithmConfig.model_fields)
