"""Rollouts: play whole episodes with a policy, and say what they returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from schemas.environments import space_from_gymnasium
from schemas.errors import SpecError, UsageError
from schemas.spaces import Box, Discrete, Space

_RESAMPLES = 2_000


class Actor(Protocol):
    """Anything that chooses actions for a batch of observations, (B, *shape) to (B,)."""

    def act(self, observations: NDArray[Any], /) -> Sequence[Any] | NDArray[Any]:
        """Choose an action for each observation."""


EnvFactory = Callable[[], "gymnasium.Env[Any, Any]"]
ActFunction = Callable[[NDArray[Any]], "Sequence[Any] | NDArray[Any]"]


@dataclass(frozen=True)
class Evaluation:
    """Hold what each episode returned and how long it was, in the order of the episodes."""

    env: str
    seed: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(np.mean(self.returns))

    @property
    def std(self) -> float:
        """The sample's standard deviation; 0 for a single episode."""
        return float(np.std(self.returns, ddof=1)) if len(self.returns) > 1 else 0.0

    @property
    def min(self) -> float:
        """The worst episode's return."""
        return min(self.returns)

    @property
    def max(self) -> float:
        """The best episode's return."""
        return max(self.returns)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The 95% bootstrap percentile interval of the mean; None for a single episode, which has no spread.

        Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7(1), 1979. It is
        drawn from a fixed seed, so that equal returns have equal intervals.
        """
        if len(self.returns) < 2:
            return None
        generator = np.random.default_rng(0)
        returns = np.array(self.returns)
        means = [generator.choice(returns, len(returns)).mean() for _ in range(_RESAMPLES)]
        low, high = np.quantile(means, (0.025, 0.975))
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-ready values."""
        return {
            "env": self.env,
            "seed": self.seed,
            "episodes": len(self.returns),
            "mean": self.mean,
            "std": self.std,
            "min": self.min,
            "max": self.max,
            "interval": None if self.interval is None else list(self.interval),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
        }

    def __str__(self) -> str:
        count = len(self.returns)
        if self.interval is None:
            return f"{self.env}: return {self.mean:.1f} in 1 episode"
        low, high = self.interval
        return (
            f"{self.env}: mean return {self.mean:.1f} over {count} episodes "
            f"(95% interval {low:.1f} to {high:.1f}; "
            f"std {self.std:.1f}, min {self.min:.1f}, max {self.max:.1f})"
        )


def evaluate(
    policy: Actor | ActFunction,
    *,
    env: str | EnvFactory = "CartPole-v1",
    episodes: int = 20,
    seed: int = 0,
    parallel: int = 32,
) -> Evaluation:
    """Play whole episodes and return what they brought.

    `policy` is anything with `act`, or a function of a batch of observations. `env` is an id that
    Gymnasium knows, or a function that makes an environment. Up to `parallel` environments are played
    at once, in this process; each episode has its own seed, so that the result does not depend on
    `parallel` as long as the policy's action does not depend on the batch. A seed's first episodes are
    the same whatever their number. Raises UsageError for an environment that cannot be made, or one
    whose spaces are not the policy's.
    """
    for name, count in (("episodes", episodes), ("parallel", parallel)):
        if count < 1:
            raise UsageError(f"{name} is {count}.", hint="It must be 1 or more.")
    if seed < 0:
        raise UsageError(f"The seed {seed} is not possible.", hint="Use a whole number from 0.")
    act: ActFunction = policy.act if hasattr(policy, "act") else policy
    envs: list[gymnasium.Env[Any, Any]] = []
    try:
        envs.append(_make(env))
        _check_spaces(policy, envs[0], _name(env, envs[0]))
        envs.extend(_make(env) for _ in range(min(parallel, episodes) - 1))
        seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(episodes)]
        returns, lengths = _play(act, envs, seeds)
        return Evaluation(_name(env, envs[0]), seed, returns, lengths)
    finally:
        for made in envs:
            made.close()


def _play(
    act: ActFunction, envs: Sequence[gymnasium.Env[Any, Any]], seeds: Sequence[int]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Play an episode per seed. An environment whose episode ended takes the next seed, or rests.

    Environments are reset here and not by Gymnasium's vector wrappers: there is no autoreset step that
    could be taken for a step of the policy.
    """
    returns, lengths = [0.0] * len(seeds), [0] * len(seeds)
    playing = {index: envs[index] for index in range(min(len(envs), len(seeds)))}
    observations = {index: env.reset(seed=seeds[index])[0] for index, env in playing.items()}
    waiting = iter(range(len(playing), len(seeds)))
    while playing:
        actions = act(np.stack([observations[index] for index in playing]))
        for action, (index, env) in zip(actions, list(playing.items()), strict=True):
            observation, reward, terminated, truncated, _ = env.step(action)
            observations[index] = observation
            returns[index] += float(reward)
            lengths[index] += 1
            if terminated or truncated:
                del playing[index], observations[index]
                following = next(waiting, None)
                if following is not None:
                    playing[following] = env
                    observations[following] = env.reset(seed=seeds[following])[0]
    return tuple(returns), tuple(lengths)


def _make(env: str | EnvFactory) -> gymnasium.Env[Any, Any]:
    if callable(env):
        return env()
    try:
        return gymnasium.make(env, disable_env_checker=True)
    except Exception as exc:  # an environment's constructor may raise anything
        raise UsageError(
            f"The environment {env!r} cannot be made: {str(exc).strip().rstrip('.')}.",
            hint="Name one that Gymnasium has registered, such as CartPole-v1, or give a function.",
        ) from exc


def _name(env: str | EnvFactory, made: gymnasium.Env[Any, Any]) -> str:
    return env if isinstance(env, str) else type(made.unwrapped).__name__


def _check_spaces(policy: object, env: gymnasium.Env[Any, Any], name: str) -> None:
    """Raise UsageError where the policy names spaces, and the environment has others; bounds may differ."""
    for kind in ("observation_space", "action_space"):
        wanted = getattr(policy, kind, None)
        if not isinstance(wanted, Box | Discrete):
            continue
        try:
            there: Space | str = space_from_gymnasium(getattr(env, kind))
        except SpecError:
            there = repr(getattr(env, kind))
        if _form(there) != _form(wanted):
            raise UsageError(
                f"The policy's {kind} is {_form(wanted)}, and that of {name} is {_form(there)}.",
                hint="Evaluate it in the environment whose steps it was trained on.",
            )


def _form(space: Space | str) -> str:
    match space:
        case Box():
            return f"Box{space.shape}"
        case Discrete():
            return f"Discrete({space.n}, start={space.start})"
    return str(space)
