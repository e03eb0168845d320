"""Behaviour cloning: do what the data does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from training.adam import Adam
from training.algorithms.base import (
    Algorithm,
    AlgorithmConfig,
    LearnerState,
    Metrics,
    frozen_copy,
    make_network,
    take_step,
)
from training.data.prepare import Prepared
from training.data.samplers import Batch
from training.losses import cross_entropy


class BCConfig(AlgorithmConfig):
    """Settings of behaviour cloning: the common ones."""


def columns(prepared: Prepared, config: BCConfig) -> Mapping[str, NDArray[Any]]:
    """Return observations and actions."""
    return {
        "observation": prepared.transitions.observation,
        "action": prepared.transitions.action,
    }


def init(
    config: BCConfig, inputs: int, actions: int, generator: torch.Generator, device: torch.device
) -> LearnerState:
    """Return an untrained network of logits."""
    network = make_network(inputs, actions, config, generator).to(device)
    return LearnerState(network, frozen_copy(network), Adam(list(network.parameters())))


def update(state: LearnerState, batch: Batch, config: BCConfig) -> Metrics:
    """Take one step on the mean cross-entropy.

        L = mean( logsumexp_b z(s, b) - z(s, a) )

    Pomerleau, "Efficient Training of Artificial Neural Networks for Autonomous Navigation", 1991. It
    learns the action that is likeliest in the data, good or bad: the mark that other learners must beat.
    """
    logits, _ = state.network(batch["observation"])
    loss = cross_entropy(logits, batch["action"]).mean()
    take_step(state, loss, config)
    return {"loss": loss.detach()}


BC = Algorithm(
    name="bc",
    summary="Behaviour cloning: imitate the actions in the data.",
    config=BCConfig,
    columns=columns,
    init=init,
    update=update,
)
