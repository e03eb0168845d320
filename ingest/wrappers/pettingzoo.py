"""PettingZoo environments that publish every step of every agent: taking turns, or in parallel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.publishing.publisher import Publisher
from ingest.wrappers.values import (
    NextObservations,
    check_next_observations,
    chosen,
    copied,
    possible_actions,
)
from schemas.errors import UsageError

try:
    from pettingzoo.utils import BaseParallelWrapper, BaseWrapper
except ImportError as exc:
    raise UsageError(
        "PettingZoo is not installed.", hint="Install it: pip install 'replaylake[exchange]'."
    ) from exc

Propensity = Callable[[Any, Any, Any], float | None]  # of an agent, its observation and its action


class _Episodes:
    """Name the episodes of one environment, count the turns of its agents, and publish."""

    def __init__(self, publisher: Publisher, propensity: Propensity | None, info_keys: Sequence[str]) -> None:
        self._publisher = publisher
        self._propensity = propensity
        self._info_keys = tuple(info_keys)
        self._number = publisher.environment_number()
        self._count = 0
        self._turns: Counter[Any] = Counter()
        self._id = ""

    def begin(self) -> None:
        """Begin a new episode, of all agents."""
        self._id = f"{self._number}-{self._count}"
        self._count += 1
        self._turns.clear()

    def before(self, agent: Any, observation: Any, action: Any, info: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is known of an agent's step before it acts, copied."""
        columns: dict[str, Any] = {
            "episode_id": self._id,
            "agent_id": str(agent),
            "step": self._turns[agent],
            "observation": copied(observation),
            "action": copied(action),
            "action_mask": possible_actions(observation, info),
            "event_time": self._publisher.now(),
        }
        if self._propensity is not None:
            columns["action_probability"] = self._propensity(agent, observation, action)
        return columns

    def acted(self, agent: Any) -> None:
        """Count an agent's turn."""
        self._turns[agent] += 1

    def publish(self, columns: dict[str, Any], info: Mapping[str, Any], **outcome: Any) -> None:
        """Publish a step with what came of it."""
        kept = {"info": chosen(info, self._info_keys)} if self._info_keys else {}
        self._publisher.publish(**(kept | outcome | columns))


class RecordTurns(BaseWrapper[Any, Any, Any]):  # type: ignore[misc]  # it has no types of its own
    """Publish every step of an environment whose agents take turns; the publisher is the caller's.

    An agent's step is published at its next turn, for its reward is what it collects until then, as `last()`
    says. So the steps that still wait are published by `reset` and `close`: those of agents that have ended
    with what they collected, the others without a reward, for it never came.

    `propensity(agent, observation, action)` gives the propensity of an action, or it is noted before the
    step: `env.note(action_probability=0.5)`. See RecordSteps for the rest.
    """

    def __init__(
        self,
        env: Any,
        publisher: Publisher,
        *,
        propensity: Propensity | None = None,
        policy_version: str | None = None,
        info_keys: Sequence[str] = (),
    ) -> None:
        super().__init__(env)
        self.policy_version = policy_version
        self._episodes = _Episodes(publisher, propensity, info_keys)
        self._acted: dict[Any, dict[str, Any]] = {}  # the last step of each agent, not published yet
        self._noted: dict[str, Any] = {}
        self._seen: tuple[Any, Any] | None = None  # who looked since the last step, and what it saw

    def note(self, **columns: Any) -> None:
        """Say what the step that follows is published with, such as its propensity or a spec's extras."""
        self._noted |= columns

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a new episode; publish what still waits of the last one."""
        self._leave()
        self.env.reset(seed=seed, options=options)
        self._episodes.begin()
        self._noted = {}
        self._seen = None

    def observe(self, agent: Any) -> Any:
        """Return the agent's observation, and remember it: that is what it acts on."""
        observation = self.env.observe(agent)
        if agent == self.agent_selection:
            self._seen = agent, observation
        return observation

    def step(self, action: Any) -> None:
        """Step the environment; publish the acting agent's last step, whose reward is known now."""
        agent = self.agent_selection
        self._settle(agent)
        if self._is_over(agent):
            self.env.step(action)
        else:
            columns = self._episodes.before(agent, self._observation(agent), action, self.infos[agent])
            columns |= {"policy_version": self.policy_version, **self._noted}
            self._noted = {}
            self.env.step(action)
            self._episodes.acted(agent)
            self._acted[agent] = columns
        self._seen = None

    def close(self) -> None:
        """Publish what still waits, and close the environment."""
        self._leave()
        super().close()

    def _observation(self, agent: Any) -> Any:
        return self._seen[1] if self._seen and self._seen[0] == agent else self.env.observe(agent)

    def _is_over(self, agent: Any) -> bool:
        return bool(self.terminations.get(agent) or self.truncations.get(agent))

    def _settle(self, agent: Any) -> None:
        columns = self._acted.pop(agent, None)
        if columns is not None:
            self._episodes.publish(
                columns,
                self.infos[agent],
                reward=self._cumulative_rewards[agent],
                terminated=bool(self.terminations[agent]),
                truncated=bool(self.truncations[agent]),
                next_observation=copied(self._observation(agent)) if self._is_over(agent) else None,
            )

    def _leave(self) -> None:
        for agent in list(self._acted):
            if self._is_over(agent):
                self._settle(agent)
            else:
                columns = self._acted.pop(agent)
                self._episodes.publish(columns, {}, reward=None, terminated=False, truncated=False)


class RecordParallelSteps(BaseParallelWrapper[Any, Any, Any]):  # type: ignore[misc]
    """Publish every step of every agent of a parallel environment; the publisher is the caller's.

    `propensity(agent, observation, action)` gives the propensity of an action, or it is noted before the
    step: `env.note(action_probability={"agent_0": 0.5})`, a mapping by agent or one value for all. See
    RecordSteps for the rest.
    """

    def __init__(
        self,
        env: Any,
        publisher: Publisher,
        *,
        propensity: Propensity | None = None,
        policy_version: str | None = None,
        info_keys: Sequence[str] = (),
        next_observations: NextObservations = "ends",
    ) -> None:
        super().__init__(env)
        self.policy_version = policy_version
        self._episodes = _Episodes(publisher, propensity, info_keys)
        self._always = check_next_observations(next_observations)
        self._observations: dict[Any, Any] = {}  # of agents that have not ended
        self._infos: dict[Any, dict[str, Any]] = {}
        self._noted: dict[str, Any] = {}

    def note(self, **columns: Any) -> None:
        """Say what the steps that follow are published with: a mapping by agent, or one value for all."""
        self._noted |= columns

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin a new episode; one that did not end is left incomplete."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self._episodes.begin()
        self._noted = {}
        self._observations, self._infos = copied(observations), infos
        return observations, infos

    def step(self, actions: dict[Any, Any]) -> Any:
        """Step the environment, and publish the step of each agent that acted."""
        acting = [agent for agent in actions if agent in self._observations]
        known = [self._before(agent, actions[agent]) for agent in acting]
        self._noted = {}
        outcome = self.env.step(actions)
        observations, rewards, terminations, truncations, infos = outcome
        over = {agent for agent, ended in (*terminations.items(), *truncations.items()) if ended}
        seen = copied(observations)
        self._observations = {agent: value for agent, value in seen.items() if agent not in over}
        self._infos = infos
        for agent, columns in zip(acting, known, strict=True):
            self._episodes.acted(agent)
            self._episodes.publish(
                columns,
                infos.get(agent, {}),
                reward=rewards.get(agent),
                terminated=bool(terminations.get(agent)),
                truncated=bool(truncations.get(agent)),
                next_observation=seen.get(agent) if agent in over or self._always else None,
            )
        return outcome

    def _before(self, agent: Any, action: Any) -> dict[str, Any]:
        columns = self._episodes.before(agent, self._observations[agent], action, self._infos.get(agent, {}))
        columns["policy_version"] = self.policy_version
        for name, values in self._noted.items():
            columns[name] = values.get(agent) if isinstance(values, Mapping) else values
        return columns
