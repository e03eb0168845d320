"""What every algorithm has: a config record, columns, init and update."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from training.adam import Adam
from training.data.prepare import Prepared
from training.data.samplers import Batch
from training.networks import MLP

Metrics = dict[str, Tensor]  # scalars that stay on the device until somebody looks at them


class AlgorithmConfig(BaseModel):
    """Settings that every algorithm has; each adds its own. Frozen, and round-trips through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    updates: Annotated[int, Field(ge=1, le=100_000_000)] = 2500
    """How many batches are learned from."""
    batch_size: Annotated[int, Field(ge=1, le=1_048_576)] = 256
    """How many rows each batch has."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=16_384)], ...], Field(max_length=16)] = (64, 64)
    """The widths of the hidden layers."""
    members: Annotated[int, Field(ge=1, le=64)] = 3
    """How many networks learn side by side from different beginnings; the mean of their outputs acts."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Step size of Adam at the first update."""
    learning_rate_end: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The share of the learning rate that is left at the last update; it falls in a straight line."""
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Decay of the averaged weights, which are the ones that act; 0 acts with the last ones."""
    normalise_observations: bool = True
    """Whether each feature is brought to mean 0 and deviation 1 over the data."""


ConfigT = TypeVar("ConfigT", bound=AlgorithmConfig)
StateT = TypeVar("StateT", bound="LearnerState")


@dataclass
class LearnerState:
    """Hold what an update changes. An algorithm that has more extends it."""

    network: MLP
    average: MLP  # the one that acts
    optimizer: Adam
    updates: int = field(default=0, kw_only=True)


@dataclass(frozen=True)
class Algorithm(Generic[ConfigT, StateT]):
    """Describe an algorithm to the loop.

    `columns` makes the arrays that an update reads, once. `init` draws the networks from the generator
    alone. `update` takes one step on one batch: it changes the state in place, does no input or output,
    and never waits for the device.
    """

    name: str
    summary: str
    config: type[ConfigT]
    columns: Callable[[Prepared, ConfigT], Mapping[str, NDArray[Any]]]
    init: Callable[[ConfigT, int, int, torch.Generator, torch.device], StateT]
    update: Callable[[StateT, Batch, ConfigT], Metrics]
    defaults: Mapping[str, object] = field(default_factory=dict)  # where they differ from the config's own


def make_network(
    inputs: int, actions: int, config: AlgorithmConfig, generator: torch.Generator | None = None
) -> MLP:
    """Return an untrained network with one output per action; only its shape counts without a generator."""
    drawn = generator or torch.Generator().manual_seed(0)
    return MLP(inputs, config.hidden, actions, members=config.members, generator=drawn)


def frozen_copy(network: MLP) -> MLP:
    """Return a copy that no gradient reaches: a target, or an average."""
    return copy.deepcopy(network).requires_grad_(False)


def take_step(state: LearnerState, loss: Tensor, config: AlgorithmConfig) -> None:
    """Move the network down the gradient of the loss, and the averaged weights after it.

    The learning rate falls linearly over the run. The average is the plain mean of all weights so far
    until that is slower than its decay, so that the first weights do not linger in it.
    """
    done = state.updates / config.updates
    rate = config.learning_rate * (1.0 - (1.0 - config.learning_rate_end) * done)
    state.optimizer.step(torch.autograd.grad(loss, state.optimizer.parameters), rate)
    state.updates += 1
    blend(state.average, state.network, max(1.0 - config.average_decay, 1.0 / state.updates))


@torch.no_grad()
def blend(into: MLP, network: MLP, share: float) -> None:
    """Move the weights of `into` towards those of the network by a share; 1 copies them exactly."""
    targets: list[Tensor] = list(into.parameters())
    sources: list[Tensor] = list(network.parameters())
    if share == 1.0:
        torch._foreach_copy_(targets, sources)
    else:
        torch._foreach_lerp_(targets, sources, share)
