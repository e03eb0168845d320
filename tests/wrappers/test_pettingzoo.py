"""PettingZoo environments publish each agent's own turns, with the reward that came until its next one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv, make
from pettingzoo.utils import parallel_to_aec

import replaylake
from ingest import MemoryStream
from replaylake import Lake, RecordParallelSteps, RecordTurns, ingest_once
from schemas.environments import spec_from_environment
from tests.wrappers.walks import Recording

AGENTS = ["ann", "bob", "cyd"]


class Marathon(ParallelEnv[str, Any, int]):  # type: ignore[misc]  # it has no types of its own
    """Run in parallel: each agent tires after turns of its own, one way or the other; all share a reward."""

    metadata = {"name": "marathon"}  # noqa: RUF012

    def __init__(self) -> None:
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self.render_mode = None
        self._spaces = {agent: spaces.Box(-1e6, 1e6, (2,), np.float32) for agent in AGENTS}
        self._places = {agent: np.zeros(2, np.float32) for agent in AGENTS}
        self._left: dict[str, int] = {}

    def observation_space(self, agent: str) -> Any:
        return self._spaces[agent]

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        generator = np.random.default_rng(seed)
        self.agents = list(AGENTS)
        for agent in AGENTS:
            self._places[agent][:] = generator.integers(100)
            self._left[agent] = int(generator.integers(1, 6))
        return self._observe(), self._infos()

    def step(self, actions: dict[str, int]) -> Any:
        acting = list(self.agents)
        for agent in acting:
            self._places[agent] += actions[agent] + 1  # into the array that was given
            self._left[agent] -= 1
        rewards = {agent: float(self._places[agent][0] + sum(actions.values())) for agent in acting}
        over = {agent: self._left[agent] == 0 for agent in acting}
        tired = {agent: bool(over[agent] and self._places[agent][0] % 2) for agent in acting}
        timed_out = {agent: bool(over[agent] and not tired[agent]) for agent in acting}
        outcome = self._observe(), rewards, tired, timed_out, self._infos()
        self.agents = [agent for agent in acting if not over[agent]]
        return outcome

    def _observe(self) -> dict[str, Any]:
        return {agent: self._places[agent] for agent in self.agents}

    def _infos(self) -> dict[str, Any]:
        return {agent: {"left": self._left[agent]} for agent in self.agents}


def choose(agent: str, observation: Any) -> int:
    return int(observation[0] * 7 + len(agent) + ord(agent[0])) % 3


def marathon_alone(episodes: int) -> list[dict[str, Any]]:
    """Return what every agent does in the parallel form, written down without any of our code."""
    env = Marathon()
    rows = []
    for episode in range(episodes):
        observations, _ = env.reset(seed=episode)
        turns = dict.fromkeys(AGENTS, 0)
        while env.agents:
            before = {agent: value.tolist() for agent, value in observations.items()}
            actions = {agent: choose(agent, observations[agent]) for agent in env.agents}
            observations, rewards, terminated, truncated, _ = env.step(actions)
            for agent, action in actions.items():
                over = terminated[agent] or truncated[agent]
                rows.append(
                    {
                        "episode_id": f"r/0-{episode}",
                        "agent_id": agent,
                        "step": turns[agent],
                        "observation": before[agent],
                        "action": action,
                        "reward": rewards[agent],
                        "terminated": terminated[agent],
                        "truncated": truncated[agent],
                        "next_observation": observations[agent].tolist() if over else None,
                    }
                )
                turns[agent] += 1
    return sorted(rows, key=lambda row: (row["episode_id"], row["agent_id"], row["step"]))


def seen(recording: Recording, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in like[0]} for row in recording.rows()]


def test_agents_in_parallel_have_turns_and_ends_of_their_own() -> None:
    recording = Recording(spec_from_environment("marathon", Marathon()))
    env = RecordParallelSteps(Marathon(), recording.publisher)
    for episode in range(9):
        observations, _ = env.reset(seed=episode)
        while env.agents:
            observations, *_ = env.step({agent: choose(agent, observations[agent]) for agent in env.agents})
    env.close()
    expected = marathon_alone(9)
    assert {row["terminated"] for row in expected} == {row["truncated"] for row in expected} == {True, False}
    assert seen(recording, expected) == expected


def play_turns(env: Any) -> None:
    for agent in env.agent_iter():
        observation, _, terminated, truncated, _ = env.last()
        env.step(None if terminated or truncated else choose(agent, observation))


def test_agents_in_turns_publish_the_same_as_in_parallel() -> None:
    recording = Recording(spec_from_environment("marathon", Marathon()))
    env = RecordTurns(parallel_to_aec(Marathon()), recording.publisher)
    for episode in range(9):
        env.reset(seed=episode)
        play_turns(env)
    env.close()
    expected = marathon_alone(9)
    assert seen(recording, expected) == expected


class Relay(AECEnv[str, Any, int]):  # type: ignore[misc]
    """Take turns: what one agent does rewards another, later; looking draws a random number."""

    metadata = {"name": "relay"}  # noqa: RUF012

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.possible_agents = ["ann", "bob"]
        self._turns = turns

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 1, (1,), np.float64)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(10)

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.agents = list(self.possible_agents)
        self.agent_selection = "ann"
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {"action_mask": np.ones(10, np.int8)} for agent in self.agents}
        self._generator = np.random.default_rng(seed)
        self._left = self._turns

    def observe(self, agent: str) -> Any:
        return self._generator.random(1)

    def step(self, action: int | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        assert action is not None
        other = "bob" if agent == "ann" else "ann"
        self._cumulative_rewards[agent] = 0
        self.rewards = {agent: float(action), other: 100.0 * action}
        self._accumulate_rewards()
        self._left -= 1
        self.agent_selection = other
        if not self._left:
            self.terminations = dict.fromkeys(self.agents, True)


def test_a_reward_is_what_came_until_the_agents_next_turn_and_nobody_looks_twice() -> None:
    recording = Recording(spec_from_environment("relay", Relay(5)))
    env = RecordTurns(Relay(5), recording.publisher)
    env.reset(seed=1)
    looks = np.random.default_rng(1).random(7).tolist()
    for agent in env.agent_iter():
        _, _, terminated, _, _ = env.last()
        env.note(action_probability=0.5 if agent == "ann" else None)
        env.step(None if terminated else 5 - env.unwrapped._left)  # noqa: SLF001
    env.close()
    rows = recording.rows()
    ann, bob = ([row for row in rows if row["agent_id"] == agent] for agent in ("ann", "bob"))
    assert [row["action"] for row in ann] == [0, 2, 4]
    assert [row["reward"] for row in ann] == [0 + 100.0, 2 + 300.0, 4.0]
    assert [row["action"] for row in bob] == [1, 3]
    assert [row["reward"] for row in bob] == [1 + 200.0, 3 + 400.0]
    assert [row["step"] for row in ann + bob] == [0, 1, 2, 0, 1]
    assert [row["observation"] for row in ann] == [[looks[0]], [looks[2]], [looks[4]]]
    assert [row["next_observation"] for row in ann] == [None, None, [looks[6]]]
    assert [row["next_observation"] for row in bob] == [None, [looks[5]]]
    assert [row["terminated"] for row in ann + bob] == [False, False, True, False, True]
    assert {row["action_log_prob"] for row in ann} == {math.log(0.5)}
    assert {row["action_log_prob"] for row in bob} == {None}
    assert all(row["action_mask"] == [True] * 10 for row in rows)


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_turns_that_are_left_are_published_without_the_reward_that_never_came(leave: str) -> None:
    recording = Recording(spec_from_environment("relay", Relay(4)))
    env = RecordTurns(Relay(4), recording.publisher)
    env.close()
    env.reset(seed=1)
    env.step(1)
    env.step(1)
    env.step(1)
    getattr(env, leave)()
    ann, again, bob = recording.rows()
    assert (ann["agent_id"], ann["reward"], ann["terminated"]) == ("ann", 101.0, False)
    for row, agent in ((again, "ann"), (bob, "bob")):
        assert row["agent_id"] == agent
        assert row["reward"] is None
        assert not row["terminated"] and not row["truncated"]
        assert row["next_observation"] is None


def test_an_end_that_nobody_looked_at_is_an_end_all_the_same() -> None:
    recording = Recording(spec_from_environment("relay", Relay(2)))
    env = RecordTurns(Relay(2), recording.publisher)
    env.reset(seed=1)
    env.step(1)
    env.step(1)
    env.reset(seed=2)
    env.close()
    rows = recording.rows()
    assert [(row["agent_id"], row["reward"]) for row in rows] == [("ann", 101.0), ("bob", 1.0)]
    assert all(row["terminated"] and row["next_observation"] for row in rows)


def test_what_policies_say_in_parallel_goes_by_agent() -> None:
    recording = Recording(spec_from_environment("marathon", Marathon()))
    env = RecordParallelSteps(
        Marathon(),
        recording.publisher,
        propensity=lambda agent, observation, action: 0.5,
        policy_version="v1",
        info_keys=["left"],
        next_observations="always",
    )
    env.reset(seed=3)
    env.note(action_probability={"ann": 0.25, "bob": 0.125}, policy_version="v2")
    env.step(dict.fromkeys(AGENTS, 1))
    rows = [row for row in recording.rows() if row["step"] == 0]
    assert [row["action_log_prob"] for row in rows] == [math.log(0.25), math.log(0.125), None]
    assert {row["policy_version"] for row in rows} == {"v2"}
    assert all(row["next_observation"] for row in rows)
    assert all(row["info"] and row["info"].startswith('{"left":') for row in rows if not row["terminated"])


def test_bundled_games_land(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    stream = MemoryStream()
    for name, game in (("rps", "classic/rps-v2"), ("tictactoe", "classic/tictactoe-v3")):
        archive = lake.create(name, env=make("aec", game))
        with replaylake.Publisher(archive, stream=stream, run="r") as publisher:
            env = RecordTurns(make("aec", game), publisher)
            env.reset(seed=0)
            generator = np.random.default_rng(0)
            acted = 0
            for agent in env.agent_iter():
                observation, _, terminated, truncated, _ = env.last()
                if terminated or truncated:
                    env.step(None)
                    continue
                mask = observation["action_mask"] if isinstance(observation, dict) else np.ones(3)
                env.step(int(generator.choice(np.flatnonzero(mask))))
                acted += 1
                assert agent in env.possible_agents
            env.close()
        report = ingest_once(lake, name, stream=stream)
        assert (report.accepted, report.quarantined) == (acted, 0)
        ends = lake.sql(f"select count(*) from {name}.steps where terminated or truncated").rows()
        assert ends == [(2,)]
