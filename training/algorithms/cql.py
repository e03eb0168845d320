"""Conservative Q-learning with discrete actions; with alpha = 0 it is n-step double DQN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from training.adam import Adam
from training.algorithms.base import (
    Algorithm,
    AlgorithmConfig,
    LearnerState,
    Metrics,
    blend,
    frozen_copy,
    make_network,
    take_step,
)
from training.data.n_step import n_step
from training.data.prepare import Prepared
from training.data.samplers import Batch
from training.losses import chosen_values, cql_regulariser, double_q_target, huber
from training.networks import MLP


class CQLConfig(AlgorithmConfig):
    """Settings of conservative Q-learning."""

    alpha: Annotated[float, Field(ge=0, le=1000)] = 0.3
    """How much the regulariser counts; 0 is double DQN."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.99
    """What a reward one step later is worth."""
    n_step: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many rewards are summed before the target network is asked."""
    reward_scale: Annotated[float, Field(gt=0, le=1e6)] = 0.1
    """Rewards are multiplied by this, so that Q-values are of the order of 1."""
    huber_delta: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """The error beyond which the loss grows in a straight line."""
    target_every: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """How many updates lie between two moves of the target network."""
    target_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far the target moves: 1 copies the network; a small share every update is Polyak averaging."""


@dataclass
class CQLState(LearnerState):
    """Hold the target network as well."""

    target: MLP


def columns(prepared: Prepared, config: CQLConfig) -> Mapping[str, NDArray[Any]]:
    """Return n-step transitions, with rewards on the scale of the config."""
    returns = n_step(prepared.transitions, config.n_step, config.gamma)
    with np.errstate(over="ignore"):  # what overflows makes the loss infinite, which stops the run
        reward = (returns.reward * config.reward_scale).astype(np.float32)
    return {
        "observation": prepared.transitions.observation,
        "action": prepared.transitions.action,
        "reward": reward,
        "discount": returns.discount,
        "next_observation": prepared.transitions.next_observation[returns.last],
    }


def init(
    config: CQLConfig, inputs: int, actions: int, generator: torch.Generator, device: torch.device
) -> CQLState:
    """Return an untrained network of Q-values, and its target."""
    network = make_network(inputs, actions, config, generator).to(device)
    return CQLState(
        network, frozen_copy(network), Adam(list(network.parameters())), target=frozen_copy(network)
    )


def update(state: CQLState, batch: Batch, config: CQLConfig) -> Metrics:
    """Take one step on the double-Q error and the conservative regulariser.

        y = R + D * Q_target(s', argmax_b Q(s', b))
        L = mean( huber(Q(s, a) - y) + alpha * (logsumexp_b Q(s, b) - Q(s, a)) )

    Kumar, Zhou, Tucker, Levine, "Conservative Q-Learning for Offline Reinforcement Learning", NeurIPS
    2020, equation 4; the target is Van Hasselt, Guez, Silver, "Deep Reinforcement Learning with Double
    Q-learning", AAAI 2016. Each member of the ensemble has a target of its own, as in Agarwal, Schuurmans,
    Norouzi, "An Optimistic Perspective on Offline Reinforcement Learning", ICML 2020, section 4.1. With
    alpha = 0 the regulariser is not computed at all.
    """
    with torch.no_grad():
        next_online, _ = state.network(batch["next_observation"])
        next_target, _ = state.target(batch["next_observation"])
        target = double_q_target(batch["reward"], batch["discount"], next_online, next_target)
    q, _ = state.network(batch["observation"])
    chosen = chosen_values(q, batch["action"])
    loss = huber(chosen - target, config.huber_delta).mean()
    metrics = {"td_loss": loss.detach(), "q_mean": chosen.detach().mean()}
    if config.alpha > 0:
        regulariser = cql_regulariser(q, batch["action"]).mean()
        metrics["regulariser"] = regulariser.detach()
        loss = loss + config.alpha * regulariser
    take_step(state, loss, config)
    if state.updates % config.target_every == 0:
        blend(state.target, state.network, config.target_share)
    return {"loss": loss.detach(), **metrics}


CQL = Algorithm(
    name="cql",
    summary="Conservative Q-learning: better actions than the data's, as far as the data shows them.",
    config=CQLConfig,
    columns=columns,
    init=init,
    update=update,
)
DQN = Algorithm(
    name="dqn",
    summary="Double DQN with n-step returns: conservative Q-learning with alpha = 0.",
    config=CQLConfig,
    columns=columns,
    init=init,
    update=update,
    defaults={"alpha": 0.0},
)
