"""A vectorised Gymnasium environment that publishes every step of each of its environments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ingest.publishing.publisher import Publisher
from ingest.wrappers.batches import Rows, column_of, info_of, rows_of, value_of
from ingest.wrappers.values import NextObservations, check_next_observations, copied, possible_actions
from schemas.errors import UsageError

Flags = NDArray[np.bool_]  # (N,) one for each environment


class RecordVectorSteps(gymnasium.vector.VectorWrapper[Any, Any, Any, Any, Any]):
    """Publish every step of each environment of a vector; see RecordSteps for what calls mean.

    All three modes of resetting are told apart by the environment's metadata, or by `autoreset_mode`: where
    an environment resets in the step after an end, that step is none of an episode's and is not published;
    where it resets in the same step, the final observation is taken from the info (which an environment that
    writes into the arrays it gave has spoilt before anybody sees it). What is noted, and what
    `propensity(observations, actions)` returns, has a value for each environment.
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        publisher: Publisher,
        *,
        propensity: Callable[[Any, Any], Any] | None = None,
        agent_id: str | Sequence[str] | None = None,
        policy_version: str | None = None,
        info_keys: Sequence[str] = (),
        next_observations: NextObservations = "ends",
        autoreset_mode: AutoresetMode | str | None = None,
    ) -> None:
        super().__init__(env)
        self.policy_version = policy_version
        self._publisher = publisher
        self._propensity = propensity
        self._agent_id = agent_id
        self._info_keys = tuple(info_keys)
        self._always = check_next_observations(next_observations)
        self._mode = _mode_of(env, autoreset_mode)
        count = env.num_envs
        self._numbers = [publisher.environment_number() for _ in range(count)]
        self._episodes = [0] * count  # how many each has begun
        self._ids = [""] * count  # of the episode of each
        self._turns = np.zeros(count, np.int64)
        self._live = np.zeros(count, np.bool_)  # whether its next step belongs to an episode
        self._everyone = np.arange(count)
        self._begun = False
        self._observations: Any = None
        self._masks: list[Any] | None = None
        self._noted: dict[str, Any] = {}

    def note(self, **columns: Any) -> None:
        """Say what the steps that follow are published with: a value for each environment, or one for all."""
        self._noted |= columns

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes, in all environments or in those of the `reset_mask` among the options."""
        mask = (options or {}).get("reset_mask")  # the environment takes it out of the options
        observations, infos = self.env.reset(seed=seed, options=options)
        which = self._everyone if mask is None else np.flatnonzero(mask)
        self._begun = True
        self._noted = {}
        self._begin(which)
        self._see(observations, infos, which)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all environments, and publish the steps of those that were in an episode."""
        rows = self._everyone if self._live.all() else np.flatnonzero(self._live)
        columns = self._before(copied(actions), rows)
        outcome = self.env.step(actions)
        observations, rewards, terminations, truncations, infos = outcome
        if not self._begun:
            return outcome
        columns["reward"] = rows_of(np.array(rewards, np.float64), rows)
        columns["terminated"] = terminated = rows_of(np.array(terminations, np.bool_), rows)
        columns["truncated"] = truncated = rows_of(np.array(truncations, np.bool_), rows)
        over = terminated | truncated
        if self._always or over.any():
            columns["next_observation"] = self._after(observations, infos, rows, over)
        if self._info_keys:
            columns["info"] = [
                self._info(infos, row, ended) for row, ended in zip(rows.tolist(), over.tolist(), strict=True)
            ]
        self._advance(rows, over)
        self._see(observations, infos, self._everyone)
        self._publisher.publish_columns(columns | self._take_noted(rows), len(rows))
        return outcome

    def _before(self, actions: Any, rows: Rows) -> dict[str, Any]:
        """Return the columns that are known before the step."""
        columns = {
            "episode_id": rows_of(self._ids, rows),
            "step": self._turns[rows],  # a copy
            "observation": column_of(self.single_observation_space, self._observations, rows),
            "action": column_of(self.single_action_space, actions, rows),
        }
        if self._propensity is not None:
            columns["action_probability"] = rows_of(self._propensity(self._observations, actions), rows)
        if self._masks is not None:
            columns["action_mask"] = rows_of(self._masks, rows)
        if self._agent_id is not None:
            columns["agent_id"] = rows_of(self._agent_id, rows)
        if self.policy_version is not None:
            columns["policy_version"] = rows_of(self.policy_version, rows)
        return columns

    def _after(self, observations: Any, infos: dict[str, Any], rows: Rows, over: Flags) -> list[Any]:
        """Return the next observations that are to be sent, the real final ones where episodes ended."""
        space = self.single_observation_space
        finals = infos.get("final_obs")
        found: list[Any] = []
        for row, ended in zip(rows.tolist(), over.tolist(), strict=True):
            if ended and self._mode is AutoresetMode.SAME_STEP:
                if finals is None or finals[row] is None:
                    raise UsageError(
                        f"Environment {row} was reset in the step that ended its episode, and 'final_obs' is "
                        "not in its info.",
                        hint="Give the autoreset_mode that the vectorised environment has.",
                    )
                found.append(finals[row])
            else:
                found.append(value_of(space, observations, row) if ended or self._always else None)
        return found

    def _info(self, infos: dict[str, Any], row: int, ended: bool) -> dict[str, Any] | None:
        """Return the chosen fields of the step's own info, not of the reset that came with it."""
        if ended and self._mode is AutoresetMode.SAME_STEP:
            infos = infos.get("final_info", {})
        return info_of(infos, row, self._info_keys) or None

    def _advance(self, rows: Rows, over: Flags) -> None:
        asleep = np.flatnonzero(~self._live) if len(rows) < self.num_envs else rows[:0]
        ended = rows[over]
        self._turns[rows] += 1
        self._live[ended] = False
        if self._mode is AutoresetMode.NEXT_STEP:
            self._begin(asleep)
        elif self._mode is AutoresetMode.SAME_STEP:
            self._begin(ended)

    def _begin(self, which: Rows) -> None:
        for row in which.tolist():
            self._ids[row] = f"{self._numbers[row]}-{self._episodes[row]}"
            self._episodes[row] += 1
            self._turns[row] = 0
            self._live[row] = True

    def _see(self, observations: Any, infos: dict[str, Any], which: Rows) -> None:
        self._observations = copied(observations)
        if "action_mask" in infos or (isinstance(observations, dict) and "action_mask" in observations):
            space = self.single_observation_space
            masks = self._masks or [None] * self.num_envs
            for row in which.tolist():
                observation = value_of(space, observations, row)
                masks[row] = possible_actions(observation, info_of(infos, row, ("action_mask",)))
            self._masks = masks

    def _take_noted(self, rows: Rows) -> dict[str, Any]:
        noted, self._noted = self._noted, {}
        return {name: rows_of(values, rows) for name, values in noted.items()}


def _mode_of(env: Any, given: AutoresetMode | str | None) -> AutoresetMode:
    mode = given or env.metadata.get("autoreset_mode")
    try:
        return AutoresetMode(mode)
    except ValueError as exc:
        raise UsageError(
            f"The autoreset mode of {env} is {mode!r}.",
            hint=f"Give autoreset_mode, one of {', '.join(known.value for known in AutoresetMode)}.",
        ) from exc
