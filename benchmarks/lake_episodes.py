"""The same episodes in our lake, in Minari's formats and in d3rlpy's: made once, and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest import EmbeddedStream, Publisher
from ingest.wrappers.gymnasium import RecordSteps
from lake import Archive, Lake
from replaylake import ingest_once
from schemas.archive_spec import ArchiveSpec
from schemas.environments import spec_from_environment

from .lake_peers import Played, write_d3rlpy, write_minari
from .made_once import cache_folder, made_once

_SIDE = 84  # pixels of a frame
_CART = slice(160, 340)  # the lines of a rendered frame in which anything is seen


@dataclass(frozen=True, slots=True)
class Game:
    """Describe what is played: an environment, its episodes, and what a step's action and propensity are."""

    name: str
    episodes: int
    make: Callable[[], gymnasium.Env[Any, Any]]
    act: Callable[[gymnasium.Env[Any, Any], np.random.Generator], tuple[Any, float]]

    @property
    def folder(self) -> Path:
        """The folder that holds the episodes in every form."""
        return cache_folder() / f"episodes-{self.name}-{self.episodes}"

    @property
    def lake(self) -> Lake:
        """Our lake."""
        return Lake(self.folder / "lake")

    @property
    def archive(self) -> Archive:
        """The archive with the episodes."""
        return self.lake.archive(self.name)


class _Frames(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Show what is rendered, grey and small, in place of the numbers."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(0, 255, (_SIDE, _SIDE), np.uint8)

    def observation(self, observation: Any) -> NDArray[np.uint8]:
        """Return the frame."""
        rendered: Any = self.env.render()
        grey = Image.fromarray(rendered[_CART]).convert("L")
        return np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _push(env: gymnasium.Env[Any, Any], random: np.random.Generator) -> tuple[Any, float]:
    """Push towards the side to which the pole falls, or anywhere."""
    state: Any = env.unwrapped
    wanted = int(state.state[2] + 0.1 * state.state[3] > 0)
    action = int(random.integers(2)) if random.random() < 0.5 else wanted
    return action, 0.75 if action == wanted else 0.25


def _turn(env: gymnasium.Env[Any, Any], random: np.random.Generator) -> tuple[Any, float]:
    """Turn at random: the propensity of a number is a density."""
    return random.uniform(-2, 2, 1).astype(np.float32), 0.25


CARTPOLE = Game("cartpole", 10_000, lambda: gymnasium.make("CartPole-v1"), _push)
PENDULUM = Game("pendulum", 1_000, lambda: gymnasium.make("Pendulum-v1"), _turn)
FRAMES = Game("frames", 200, lambda: _Frames(gymnasium.make("CartPole-v1", render_mode="rgb_array")), _push)


def prepare(game: Game) -> None:
    """Play the episodes and write them in every form, unless that was done."""
    made_once(game.folder, lambda: _make(game))


def _make(game: Game) -> None:
    if game.name in game.lake.names():
        raise RuntimeError(f"{game.folder} is half made: remove it.")
    env = game.make()
    spec = spec_from_environment(game.name, env)
    game.lake.create(game.name, spec=spec)
    played = _play(game, env, spec)
    shutil.rmtree(game.folder / "stream")
    game.archive.compact()
    write_minari(game.folder / "minari", played, env, game.name)
    write_d3rlpy(game.folder / "d3rlpy.h5", played)
    env.close()


def _play(game: Game, env: gymnasium.Env[Any, Any], spec: ArchiveSpec) -> list[Played]:
    """Play through the publisher and the worker, as an actor does; return the episodes besides."""
    random = np.random.default_rng(0)
    played: list[Played] = []
    with EmbeddedStream(game.folder / "stream") as stream:
        with Publisher(
            spec, stream, source="actor-1", agent_id="agent-1", policy_version="poor"
        ) as publisher:
            recorded = RecordSteps(env, publisher)
            for number in range(game.episodes):
                observation, _ = recorded.reset(seed=number)
                episode = Played([observation])
                ended = False
                while not ended:
                    action, propensity = game.act(env, random)
                    recorded.note(action_log_prob=float(np.log(propensity)))
                    observation, reward, terminated, truncated, _ = recorded.step(action)
                    episode.observations.append(observation)
                    episode.actions.append(action)
                    episode.rewards.append(float(reward))
                    episode.terminated = terminated
                    ended = terminated or truncated
                played.append(episode)
        ingest_once(game.lake, stream=stream)
    return played
