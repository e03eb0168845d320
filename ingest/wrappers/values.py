"""What the wrappers share: copies of what an environment gave, masks of actions, and fields of its info."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from schemas.errors import UsageError

NextObservations = Literal["ends", "always"]


def copied(value: Any) -> Any:
    """Return the value with arrays of its own: an environment may write into the ones it gave.

    An array without dimensions becomes the number that it holds, which is what a Discrete space has.
    """
    if type(value) is np.ndarray:
        return value.copy() if value.ndim else value[()]
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(copied, value))
    return value


def possible_actions(observation: Any, info: Mapping[str, Any]) -> Any:
    """Return which actions are possible, as an array of booleans, or None where nobody said.

    Gymnasium has it in the info; PettingZoo there, or in the observation.
    """
    mask = info.get("action_mask")
    if mask is None and isinstance(observation, Mapping):
        mask = observation.get("action_mask")
    if mask is None:
        return None
    flags = np.array(mask, np.bool_)
    return flags if flags.ndim == 1 else None


def chosen(info: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any] | None:
    """Return the fields of the info with these keys, or None where it has none of them."""
    return {key: info[key] for key in keys if key in info} or None


def check_next_observations(wanted: str) -> bool:
    """Return whether every step is sent with its next observation; raise UsageError for other words."""
    if wanted not in ("ends", "always"):
        raise UsageError(f"next_observations is {wanted!r}.", hint="Give 'ends' or 'always'.")
    return wanted == "always"
