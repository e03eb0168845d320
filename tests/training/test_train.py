"""Training from end to end: what is learned, that seeds decide it, and what cannot be trained on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lake import Lake
from schemas.errors import NotFoundError, TrainingError, UsageError
from schemas.spaces import Box, Discrete
from schemas.steps import Steps
from tests.training.samples import (
    CHAIN,
    CHAIN_ACTION,
    CHAIN_OBSERVATION,
    LEFT,
    RIGHT,
    chain,
    observe,
    transitions,
)
from training import Policy, fit, train

QUICK: dict[str, Any] = {"updates": 30, "hidden": (8,), "batch_size": 16}


def fit_chain(algorithm: str, seed: int = 0, **overrides: Any) -> Policy:
    return fit(chain(), CHAIN_OBSERVATION, CHAIN_ACTION, algorithm=algorithm, seed=seed, **overrides)


def digest(policy: Policy) -> str:
    content = b"".join(policy.weights[name].numpy().tobytes() for name in sorted(policy.weights))
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("seed", range(4))
def test_cql_finds_the_goal_that_its_data_mostly_walks_away_from(seed: int) -> None:
    """Three of four actions in the data go left; cloning learns that, and the returns say right."""
    everywhere = observe(range(CHAIN))
    learning = {"updates": 400, "hidden": (32,), "gamma": 0.9, "target_every": 20, "reward_scale": 1.0}
    for alpha in (0.0, 0.02):
        policy = fit_chain("cql", seed, alpha=alpha, **learning)
        assert policy.act(everywhere).tolist() == [RIGHT] * CHAIN
    assert fit_chain("bc", seed, updates=400, hidden=(32,)).act(everywhere).tolist() == [LEFT] * CHAIN


def test_dqn_learns_the_values_of_the_chain() -> None:
    """By hand: right from s is worth gamma^(4 - s), and left the worth of where it leads, discounted."""
    policy = fit_chain(
        "dqn", updates=1500, hidden=(32,), gamma=0.9, target_every=20, reward_scale=1.0, learning_rate=5e-3
    )
    value = 0.9 ** (CHAIN - 1 - np.arange(CHAIN))
    left = 0.9 * value[[0, 0, 1, 2, 3]]
    assert np.allclose(policy.outputs(observe(range(CHAIN))), np.stack([left, value], axis=1), atol=0.05)


def test_bc_learns_how_often_the_data_took_each_action() -> None:
    outputs = fit_chain("bc", updates=400, hidden=(32,)).outputs(observe(range(CHAIN)))
    likely = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    assert np.allclose(likely, [0.75, 0.25], atol=0.1)


def test_n_step_returns_reach_training() -> None:
    """With gamma 1 and no bootstrap within reach, both rows of an episode are worth what it paid."""
    data = transitions([1, 2], terminated=[False, True], follows=[True, False])
    policy = fit(
        data,
        Box(shape=(1,)),
        Discrete(n=1),
        algorithm="dqn",
        n_step=2,
        gamma=1.0,
        reward_scale=1.0,
        updates=500,
        hidden=(16,),
        learning_rate=1e-2,
        average_decay=0.9,
    )
    assert np.allclose(policy.outputs([[0.0], [1.0]]).ravel(), [3, 2], atol=0.05)


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    first = digest(fit_chain("cql", 5, **QUICK))
    assert digest(fit_chain("cql", 5, **QUICK)) == first
    assert digest(fit_chain("cql", 6, **QUICK)) != first


def test_another_process_gives_the_same_weights_byte_for_byte() -> None:
    program = (
        "from tests.training.test_train import QUICK, digest, fit_chain\n"
        "print(digest(fit_chain('cql', 5, **QUICK)))"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # nor does the number of threads matter
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest(fit_chain("cql", 5, **QUICK))


def test_nothing_global_is_moved() -> None:
    before = (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    fit_chain("cql", **QUICK).act(observe([0]))
    assert (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()) == before
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_state)


def test_progress_is_told_about_twenty_times_and_at_the_end() -> None:
    told: list[tuple[int, int]] = []

    def listen(update: int, total: int, metrics: Mapping[str, float]) -> None:
        assert metrics["loss"] >= 0
        told.append((update, total))

    fit_chain("bc", on_progress=listen, updates=205, hidden=(4,), batch_size=4)
    assert told[-1] == (205, 205)
    assert 15 <= len(told) <= 21
    assert all(total == 205 for _, total in told)
    told.clear()
    fit_chain("bc", on_progress=listen, updates=3, hidden=(4,), batch_size=4)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_listening_does_not_change_what_is_learned() -> None:
    heard = fit_chain("cql", on_progress=lambda update, total, metrics: None, **QUICK)
    assert digest(heard) == digest(fit_chain("cql", **QUICK))


def test_raising_in_the_callback_stops_the_run_and_gives_threads_back() -> None:
    def stop(update: int, total: int, metrics: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    before = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        fit_chain("bc", on_progress=stop, **QUICK)
    assert torch.get_num_threads() == before


def test_fewer_rows_than_a_batch_are_enough() -> None:
    data = transitions([1], terminated=[True], follows=[False])
    assert fit(data, Box(shape=(1,)), Discrete(n=2), updates=5).act([[0.0]]).shape == (1,)


def test_a_policy_knows_what_it_was_made_of() -> None:
    policy = fit(
        chain(), CHAIN_OBSERVATION, CHAIN_ACTION, snapshot_id="snap", algorithm="dqn", seed=9, **QUICK
    )
    assert (policy.algorithm, policy.snapshot_id, policy.seed) == ("dqn", "snap", 9)
    assert policy.config.updates == 30
    assert set(policy.metrics) == {"loss", "td_loss", "q_mean"}


def test_a_run_that_diverges_stops_and_says_where() -> None:
    data = replace(chain(), reward=np.full(len(chain()), 3e38, np.float32))
    with pytest.raises(TrainingError, match=r"'dqn' diverged: at update \d+, \w+ is (inf|nan)") as caught:
        fit(
            data,
            CHAIN_OBSERVATION,
            CHAIN_ACTION,
            algorithm="dqn",
            reward_scale=1e6,
            huber_delta=1e6,
            **QUICK,
        )
    assert "learning_rate" in caught.value.hint


def test_bad_requests_are_refused_before_training() -> None:
    with pytest.raises(NotFoundError, match="no algorithm 'sac'"):
        fit_chain("sac")
    with pytest.raises(UsageError, match="no setting 'epochs'"):
        fit_chain("cql", epochs=3)
    with pytest.raises(UsageError, match="seed -1"):
        fit_chain("cql", seed=-1)
    with pytest.raises(UsageError, match="no device 'tpu'"):
        fit_chain("cql", device="tpu")
    with pytest.raises(UsageError, match="no device 'cpu:1'"):
        fit_chain("cql", device="cpu:1")
    with pytest.raises(UsageError, match="not available") as caught:
        fit_chain("cql", device="cuda:99")
    assert "auto" in caught.value.hint


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_learns_the_same_chain() -> None:
    policy = fit_chain("dqn", updates=400, hidden=(32,), gamma=0.9, reward_scale=1.0, device="cuda")
    assert policy.act(observe(range(CHAIN))).tolist() == [RIGHT] * CHAIN
    assert all(tensor.device.type == "cpu" for tensor in policy.weights.values())


def test_training_reads_a_snapshot_of_a_lake(tmp_path: Path) -> None:
    archive = Lake(tmp_path / "lake").create("poles", env="CartPole-v1")
    generator = np.random.default_rng(0)
    rows = [
        {
            "source": "test",
            "agent_id": "a",
            "episode_id": f"e{episode}",
            "step": step,
            "observation": generator.normal(size=4).astype(np.float32),
            "action": int(generator.integers(2)),
            "reward": 1.0,
            "next_observation": generator.normal(size=4).astype(np.float32),
            "terminated": step == 4,
            "truncated": False,
        }
        for episode in range(4)
        for step in range(5)
    ]
    archive.append(Steps.from_rows(rows, archive.spec))
    snapshot = archive.snapshot()
    policy = train(snapshot, seed=3, **QUICK)
    assert policy.snapshot_id == snapshot.id
    assert policy.observation_space.shape == (4,)
    assert digest(train(snapshot, seed=3, **QUICK)) == digest(policy)
    with pytest.raises(UsageError, match="no setting 'epochs'"):
        train(snapshot, epochs=3)
