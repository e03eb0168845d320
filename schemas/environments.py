"""Read an archive's spec off an environment of Gymnasium or PettingZoo."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import ValidationError

from schemas import spaces
from schemas.archive_spec import ArchiveSpec
from schemas.errors import SpecError, UsageError


def spec_from_environment(name: str, environment: str | Any) -> ArchiveSpec:
    """Return the spec of an archive for the environment: an id of Gymnasium's, or an object.

    An object is a Gymnasium environment, vectorised or not, or a PettingZoo one whose agents all have
    the same spaces. It is only looked at: neither reset nor closed.
    """
    if not isinstance(environment, str):
        return _from_object(name, environment)
    import gymnasium  # heavy, and only needed here

    try:
        env = gymnasium.make(environment)
    except Exception as exc:  # an environment's constructor may raise anything
        raise UsageError(
            f"The environment {environment!r} cannot be made: {str(exc).strip().rstrip('.')}.",
            hint="Name one that Gymnasium has registered, such as CartPole-v1, or give a spec.",
        ) from exc
    try:
        return _from_object(name, env)
    finally:
        env.close()


def _from_object(name: str, env: Any) -> ArchiveSpec:
    if hasattr(env, "possible_agents"):
        return _from_pettingzoo(name, env)
    # The name with `single_` is a vectorised environment's. A space may be falsy: an empty Dict is.
    observation = getattr(env, "single_observation_space", getattr(env, "observation_space", None))
    action = getattr(env, "single_action_space", getattr(env, "action_space", None))
    if observation is None or action is None:
        raise SpecError(
            f"A {type(env).__name__} has no observation_space and action_space.",
            hint="Give a Gymnasium or PettingZoo environment, or a spec.",
        )
    registered = getattr(env, "spec", None)
    return ArchiveSpec.from_json(
        {
            "name": name,
            "observation": space_from_gymnasium(observation).to_json(),
            "action": space_from_gymnasium(action).to_json(),
            "environment": getattr(registered, "id", None),
        }
    )


def _from_pettingzoo(name: str, env: Any) -> ArchiveSpec:
    agents = list(env.possible_agents)
    found: list[tuple[spaces.Space, spaces.Space]] = []
    for agent in agents:
        pair = (
            space_from_gymnasium(env.observation_space(agent)),
            space_from_gymnasium(env.action_space(agent)),
        )
        if pair not in found:
            found.append(pair)
    if len(found) != 1:
        raise SpecError(
            f"The {len(agents)} agents of the environment have {len(found)} different pairs of spaces.",
            hint="Make one archive for each kind of agent.",
        )
    observation, action = found[0]
    return ArchiveSpec.from_json(
        {"name": name, "observation": observation.to_json(), "action": action.to_json()}
    )


def space_from_gymnasium(space: Any) -> spaces.Space:
    """Return our space for one of Gymnasium's; raise SpecError for one that has no columns."""
    try:
        return _space_of(space)
    except ValidationError as exc:
        raise spaces.impossible_space(exc) from exc


def _space_of(space: Any) -> spaces.Space:
    kind = type(space).__name__
    match kind:
        case "Box":
            return spaces.Box(
                shape=space.shape, dtype=space.dtype.name, low=_bound(space.low), high=_bound(space.high)
            )
        case "Discrete":
            return spaces.Discrete(n=int(space.n), start=int(space.start))
        case "MultiDiscrete":
            start = tuple(int(first) for first in np.ravel(space.start))
            return spaces.MultiDiscrete(
                nvec=tuple(int(count) for count in np.ravel(space.nvec)),
                start=start if any(start) else (),
                shape=space.shape if len(space.shape) > 1 else (),
            )
        case "MultiBinary":
            return spaces.MultiBinary(shape=space.shape)
        case "Text":
            return spaces.Text(max_length=space.max_length, min_length=space.min_length)
        case "Dict":
            return spaces.Dict(spaces={key: _space_of(part) for key, part in space.items()})
        case "Tuple":
            return spaces.Tuple(spaces=tuple(_space_of(part) for part in space.spaces))
    raise SpecError(
        f"The space {kind} has no columns of its own.",
        hint="Wrap it into Box, Discrete, MultiDiscrete, MultiBinary, Text, Dict or Tuple.",
    )


def _bound(values: Any) -> float | tuple[float, ...]:
    """Return one bound for all elements where they share it, else one each."""
    flat = [float(value) for value in np.ravel(values)]
    return flat[0] if len(set(flat)) == 1 else tuple(flat)
