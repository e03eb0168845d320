"""A Gymnasium environment that publishes every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat

import gymnasium

from ingest.publishing.publisher import Publisher
from ingest.wrappers.values import (
    NextObservations,
    check_next_observations,
    chosen,
    copied,
    possible_actions,
)


class RecordSteps(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Publish every step of an environment; the publisher is the caller's, who closes it.

    The propensity of an action comes from `propensity(observation, action)`, or is noted before the step:
    `env.note(action_probability=0.5)`. `env.policy_version` may change at any time. `info_keys` name what
    is kept of the info of a step; an `action_mask` there belongs to the next one, and is kept with that.

    A step that ends an episode has its final observation as `next_observation`; the others have the next
    step's, which is not sent twice. An episode that is left without an end has a last step with neither
    flag: it is incomplete, and that step makes a transition only with `next_observations="always"`.

    Where publishing raises, the environment has stepped: its step is lost to the caller, and `reset` is next.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        publisher: Publisher,
        *,
        propensity: Callable[[Any, Any], float | None] | None = None,
        agent_id: str | None = None,
        policy_version: str | None = None,
        info_keys: Sequence[str] = (),
        next_observations: NextObservations = "ends",
    ) -> None:
        super().__init__(env)
        self.policy_version = policy_version
        self._publisher = publisher
        self._propensity = propensity
        self._agent_id = agent_id
        self._info_keys = tuple(info_keys)
        self._always = check_next_observations(next_observations)
        self._number = publisher.environment_number()
        self._episodes = 0
        self._episode = ""
        self._step = -1  # no episode yet
        self._observation: Any = None
        self._mask: Any = None
        self._noted: dict[str, Any] = {}

    def note(self, **columns: Any) -> None:
        """Say what the step that follows is published with, such as its propensity or a spec's extras."""
        self._noted |= columns

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode; one that did not end is left incomplete."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._episode = f"{self._number}-{self._episodes}"
        self._episodes += 1
        self._step = 0
        self._noted = {}
        self._see(observation, info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step the environment, and publish the step."""
        row = {
            "episode_id": self._episode,
            "step": self._step,
            "observation": self._observation,
            "action": copied(action),
            "action_mask": self._mask,
            "agent_id": self._agent_id,
            "policy_version": self.policy_version,
        }
        if self._propensity is not None:
            row["action_probability"] = self._propensity(self._observation, action)
        noted, self._noted = self._noted, {}
        outcome = self.env.step(action)
        if self._step < 0:
            return outcome  # after an end, and the environment lets it pass
        observation, row["reward"], terminated, truncated, info = outcome
        row["terminated"], row["truncated"] = terminated, truncated
        over = terminated or truncated
        self._step = -1 if over else self._step + 1
        self._see(observation, info)
        if over or self._always:
            row["next_observation"] = self._observation
        if self._info_keys:
            row["info"] = chosen(info, self._info_keys)
        self._publisher.publish_row(row | noted)
        return outcome

    def _see(self, observation: Any, info: dict[str, Any]) -> None:
        self._observation = copied(observation)
        if info or self._mask is not None or isinstance(observation, dict):
            self._mask = possible_actions(observation, info)
