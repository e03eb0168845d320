"""The one training loop: sample, update, and now and then say how it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from schemas.errors import TrainingError
from training.algorithms.base import Algorithm, AlgorithmConfig, LearnerState, Metrics
from training.data.prepare import Prepared
from training.data.samplers import UniformSampler
from training.devices import threads_for

Progress = Callable[[int, int, Mapping[str, float]], None]  # update, total, metrics

_LOOKS = 20  # times that a run looks at its metrics: each look waits for the device


@dataclass(frozen=True, eq=False)
class Trained:
    """Hold the weights that act, on the CPU, and the metrics of the last update."""

    weights: Mapping[str, Tensor]
    metrics: Mapping[str, float]


def run(
    algorithm: Algorithm[Any, Any],
    config: AlgorithmConfig,
    prepared: Prepared,
    *,
    seed: int,
    device: torch.device,
    on_progress: Progress | None = None,
) -> Trained:
    """Train from beginning to end.

    The same data, config and seed give the same weights on the CPU, byte for byte; large networks
    compute on several threads, whose number must then be the same as well. Networks and batches are
    drawn from generators of their own: no global random state is read or moved. `on_progress` is called
    about twenty times, and raising in it stops the run. Raises TrainingError as soon as a look at the
    metrics finds a number that is not finite.
    """
    network_seed, batch_seed = (int(word) for word in np.random.SeedSequence(seed).generate_state(2))
    state: LearnerState = algorithm.init(
        config,
        prepared.observation_size,
        prepared.actions,
        torch.Generator().manual_seed(network_seed),
        device,
    )
    columns = {
        name: torch.as_tensor(array).to(device) for name, array in algorithm.columns(prepared, config).items()
    }
    sampler = UniformSampler(columns, config.batch_size, torch.Generator(device).manual_seed(batch_seed))
    with threads_for(state.network.size * config.batch_size):
        metrics = _update(algorithm, config, state, sampler, on_progress)
    weights = {name: tensor.detach().cpu() for name, tensor in state.average.state_dict().items()}
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise _diverged(algorithm.name, config.updates, "the weights are not finite")
    return Trained(weights, metrics)


def _update(
    algorithm: Algorithm[Any, Any],
    config: AlgorithmConfig,
    state: LearnerState,
    sampler: UniformSampler,
    on_progress: Progress | None,
) -> dict[str, float]:
    look_every = math.ceil(config.updates / _LOOKS)
    seen: dict[str, float] = {}
    for update in range(1, config.updates + 1):
        metrics = algorithm.update(state, sampler.sample(), config)
        if update % look_every == 0 or update == config.updates:
            seen = _look(algorithm.name, update, metrics)
            if on_progress is not None:
                on_progress(update, config.updates, seen)
    return seen


def _look(name: str, update: int, metrics: Metrics) -> dict[str, float]:
    seen = {key: float(value) for key, value in metrics.items()}
    for key, value in seen.items():
        if not math.isfinite(value):
            raise _diverged(name, update, f"{key} is {value}")
    return seen


def _diverged(name: str, update: int, what: str) -> TrainingError:
    return TrainingError(
        f"Training {name!r} diverged: at update {update}, {what}.",
        hint="Lower learning_rate or reward_scale, or look for extreme values in the data.",
    )
