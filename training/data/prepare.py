"""Make transitions ready for a learner: checked, counted from 0, and on one scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from schemas.errors import TrainingError
from schemas.spaces import Box, Discrete, Space
from schemas.transitions import Transitions


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Bring observations to mean 0 and deviation 1, feature by feature."""

    mean: NDArray[np.float64]  # (D,)
    scale: NDArray[np.float64]  # (D,): 1 where a feature does not vary

    @classmethod
    def identity(cls, size: int) -> Normaliser:
        """Leave observations as they are."""
        return cls(np.zeros(size), np.ones(size))

    @classmethod
    def of(cls, observations: NDArray[np.generic]) -> Normaliser:  # (N, D)
        """Take mean and deviation from the data."""
        values = observations.astype(np.float64)
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        varies = deviation > 1e-6 * np.abs(mean)  # less is the rounding of a constant
        return cls(mean, np.where(varies, deviation, 1.0))

    def __call__(self, observations: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the observations, (..., D), on the common scale."""
        scaled: NDArray[np.float64] = (observations.astype(np.float64) - self.mean) / self.scale
        return scaled


@dataclass(frozen=True, eq=False)
class Prepared:
    """Hold transitions as a learner reads them: observations normalised, actions counted from 0."""

    transitions: Transitions
    normaliser: Normaliser
    observation_size: int
    actions: int


def check_spaces(observation: Space, action: Space) -> tuple[Box, Discrete]:
    """Return the spaces; raise TrainingError where no algorithm here can learn in them."""
    if not isinstance(observation, Box) or len(observation.shape) != 1:
        raise TrainingError(
            f"Observations of the space {_brief(observation)} are not supported.",
            hint="Supported is a Box of one dimension, such as shape (4,).",
        )
    if not isinstance(action, Discrete):
        raise TrainingError(
            f"Actions of the space {_brief(action)} are not supported.", hint="Supported is a Discrete space."
        )
    return observation, action


def prepare(
    transitions: Transitions, observation_space: Space, action_space: Space, *, normalise: bool
) -> Prepared:
    """Check every value that training reads, and bring it into the form that algorithms expect.

    Raises TrainingError for spaces that are not supported, no rows, a shape or an action outside its
    space, and numbers that are not finite. A terminated row's next observation is not read: it is 0.
    """
    box, discrete = check_spaces(observation_space, action_space)
    if len(transitions) == 0:
        raise TrainingError(
            "There are no transitions to train on.",
            hint="Widen the snapshot's filter, or ingest steps; an episode of one incomplete step has none.",
        )
    for name, array in (
        ("observation", transitions.observation),
        ("next_observation", transitions.next_observation),
    ):
        if array.shape[1:] != box.shape:
            raise TrainingError(
                f"The {name} has the shape {array.shape[1:]}, and the space says {box.shape}."
            )
    terminated = transitions.terminated
    following = np.where(terminated[:, None], 0, transitions.next_observation)
    for name, array in (
        ("observation", transitions.observation),
        ("next_observation", following),
        ("reward", transitions.reward),
    ):
        _check_finite(name, array)
    normaliser = Normaliser.of(transitions.observation) if normalise else Normaliser.identity(box.size)
    ready = replace(
        transitions,
        observation=normaliser(transitions.observation).astype(np.float32),
        action=_counted_from_zero(transitions.action, discrete),
        next_observation=np.where(terminated[:, None], 0, normaliser(following)).astype(np.float32),
    )
    return Prepared(ready, normaliser, box.size, discrete.n)


def _counted_from_zero(action: NDArray[np.generic], space: Discrete) -> NDArray[np.int64]:
    if action.ndim != 1 or action.dtype.kind not in "iu":
        raise TrainingError(
            f"The actions are {action.dtype} of shape {action.shape}; Discrete ones are whole numbers (N,)."
        )
    counted = action.astype(np.int64) - space.start
    outside = (counted < 0) | (counted >= space.n)
    if outside.any():
        row = int(np.argmax(outside))
        raise TrainingError(
            f"Row {row} has the action {action[row]}, outside {space.start} to {space.start + space.n - 1}."
        )
    return counted


def _check_finite(name: str, array: NDArray[np.generic]) -> None:
    wrong = ~np.isfinite(array.astype(np.float64)).reshape(len(array), -1).all(axis=1)
    if wrong.any():
        raise TrainingError(
            f"{int(wrong.sum())} of {len(array)} rows have a {name} that is not finite; "
            f"the first is row {int(np.argmax(wrong))}.",
            hint="Leave such rows out of the snapshot, or let a suite reject them.",
        )


def _brief(space: Space) -> str:
    return f"{type(space).__name__} {space.to_json()}"
