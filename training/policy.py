"""Policy: what training gives back. It acts, and it can be saved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from schemas.errors import DataError, UsageError
from schemas.spaces import Box, Discrete
from training.algorithms import AlgorithmConfig, find_algorithm, make_config, make_network
from training.checkpoints import PolicyRecord, read_checkpoint, serialise, write_checkpoint
from training.data.prepare import Normaliser
from training.devices import threads_for
from training.networks import MLP


@dataclass(frozen=True, eq=False, kw_only=True)
class Policy:
    """Act greedily in the spaces that it was trained for.

    It lives on the CPU and computes in float64, so that the action for an observation does not hang on
    which others stand in the batch. Its fields are not to be changed.
    """

    algorithm: str
    config: AlgorithmConfig
    observation_space: Box
    action_space: Discrete
    snapshot_id: str | None
    seed: int
    metrics: Mapping[str, float]  # of the last update
    normaliser: Normaliser = field(repr=False)
    weights: Mapping[str, Tensor] = field(repr=False)  # float32, as trained
    _network: MLP = field(init=False, repr=False)

    def __post_init__(self) -> None:
        network = make_network(self.observation_space.size, self.action_space.n, self.config)
        network.load_state_dict(dict(self.weights))
        object.__setattr__(self, "_network", network.requires_grad_(False).double())

    def outputs(self, observations: ArrayLike) -> NDArray[np.float64]:  # (B, *shape) -> (B, n)
        """Return what the networks say of each action, on average: Q-values, or logits for `bc`."""
        batch = np.asarray(observations)
        shape = self.observation_space.shape
        if batch.ndim != 1 + len(shape) or batch.shape[1:] != shape:
            raise UsageError(
                f"The observations have the shape {batch.shape}; the policy acts on batches of {shape}."
            )
        scaled = self.normaliser(batch)
        if not np.isfinite(scaled).all():
            raise UsageError("The observations hold numbers that are not finite.")
        with threads_for(self._network.size * len(batch)):
            out, _ = self._network(torch.from_numpy(scaled))
        values: NDArray[np.float64] = out.mean(dim=0).numpy()
        return values

    def act(self, observations: ArrayLike) -> NDArray[np.int64]:  # (B, *shape) -> (B,)
        """Return the action of the largest output for each observation; the lowest action where two tie."""
        chosen: NDArray[np.int64] = self.outputs(observations).argmax(axis=1) + self.action_space.start
        return chosen

    def action_probabilities(self, observations: ArrayLike) -> NDArray[np.float64]:  # (B, *shape) -> (B, n)
        """Return the probability that `act` takes each action: 1 for the greedy one, 0 for the others."""
        chosen = self.act(observations) - self.action_space.start
        return np.eye(self.action_space.n)[chosen]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy as a folder, whole or not at all; raise AlreadyExistsError where one is."""
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self.weights.items()},
            "normaliser.mean": torch.from_numpy(self.normaliser.mean),
            "normaliser.scale": torch.from_numpy(self.normaliser.scale),
        }
        content = serialise(tensors)
        record = PolicyRecord(
            algorithm=self.algorithm,
            config=self.config.model_dump(mode="json"),
            observation_space=self.observation_space,
            action_space=self.action_space,
            snapshot_id=self.snapshot_id,
            seed=self.seed,
            metrics=dict(self.metrics),
            torch_version=str(torch.__version__),
            weights_sha256=hashlib.sha256(content).hexdigest(),
        )
        write_checkpoint(Path(path), record, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a policy back; raise a ReplayLakeError that says what is wrong with the folder."""
        record, tensors = read_checkpoint(Path(path))
        try:
            return cls(
                **_fields(record),
                normaliser=Normaliser(
                    tensors.pop("normaliser.mean").numpy(), tensors.pop("normaliser.scale").numpy()
                ),
                weights={name.removeprefix("network."): tensor for name, tensor in tensors.items()},
            )
        except (KeyError, AttributeError, RuntimeError) as exc:
            raise DataError(
                f"The policy in {str(path)!r} cannot be used: its weights do not fit its config.",
                hint="Train it again, or restore the folder.",
            ) from exc


def _fields(record: PolicyRecord) -> dict[str, Any]:
    return {
        "algorithm": record.algorithm,
        "config": make_config(find_algorithm(record.algorithm), record.config),
        "observation_space": record.observation_space,
        "action_space": record.action_space,
        "snapshot_id": record.snapshot_id,
        "seed": record.seed,
        "metrics": record.metrics,
    }
