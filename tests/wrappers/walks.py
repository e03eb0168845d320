"""Environments whose every step can be foretold, and what was published of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pyarrow as pa
from gymnasium import spaces

from ingest import MemoryStream, Publisher
from schemas.archive_spec import ArchiveSpec
from schemas.wire import decode_arrow

OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-np.inf, np.inf, (3,), np.float32),
    "image": spaces.Box(0, 255, (2, 2), np.uint8),
    "discrete": spaces.Discrete(1000, start=-3),
    "dict": spaces.Dict({"at": spaces.Box(-np.inf, np.inf, (2,), np.float64), "room": spaces.Discrete(1000)}),
    "tuple": spaces.Tuple((spaces.Box(-np.inf, np.inf, (1,), np.float32), spaces.MultiBinary(3))),
}


class Walk(gymnasium.Env[Any, Any]):
    """Walk for a random while; end or time out. Observations are the same arrays again, unless `fresh`."""

    def __init__(self, kind: str = "box", longest: int = 6, fresh: bool = False) -> None:
        self.observation_space = OBSERVATIONS[kind]
        self.action_space = spaces.Discrete(3)
        self._longest = longest
        self._place = 0
        self._left = 0
        self._held = {key: np.zeros(space.shape, space.dtype) for key, space in _boxes(kind).items()}
        self._kind = kind
        self._fresh = fresh

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._place = int(self.np_random.integers(200))
        self._left = int(self.np_random.integers(1, self._longest))
        return self._observe(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._place += int(action) + 1
        self._left -= 1
        over = self._left == 0
        terminated = over and self._place % 2 == 0
        return self._observe(), self._place / 4, terminated, over and not terminated, self._info()

    def _info(self) -> dict[str, Any]:
        mask = np.array([True, self._place % 2 == 0, self._place % 3 == 0], np.int8)
        return {"action_mask": mask, "place": self._place, "noise": object()}

    def _observe(self) -> Any:
        if self._fresh:
            self._held = {name: held.copy() for name, held in self._held.items()}
        for held in self._held.values():
            held.fill(self._place % 256 if held.dtype == np.uint8 else self._place)
        match self._kind:
            case "discrete":
                return np.int64(self._place)
            case "dict":
                return {"at": self._held["at"], "room": np.int64(self._place)}
            case "tuple":
                bits = np.array([self._place >> bit & 1 for bit in range(3)], np.int8)
                return self._held["0"], bits
        return self._held["all"]


def _boxes(kind: str) -> dict[str, Any]:
    """Return the boxes within an observation, by the names that `Walk` gives them."""
    space = OBSERVATIONS[kind]
    if isinstance(space, spaces.Dict):
        return {"at": space["at"]}
    if isinstance(space, spaces.Tuple):
        return {"0": space[0]}
    return {"all": space} if isinstance(space, spaces.Box) else {}


def number_of(observation: Any) -> int:
    """Return the place that an observation tells, as far as it does."""
    if isinstance(observation, dict):
        return int(observation["room"])
    if isinstance(observation, tuple):
        return int(observation[0][0])
    return int(np.ravel(observation)[0])


def choose(observation: Any) -> int:
    """Choose an action by the observation alone."""
    return number_of(observation) * 7919 % 3


def arrow_value(observation: Any) -> Any:
    """Return an observation as Arrow gives it back."""
    if isinstance(observation, dict):
        return {name: arrow_value(part) for name, part in observation.items()}
    if isinstance(observation, tuple):
        return {f"item_{index}": arrow_value(part) for index, part in enumerate(observation)}
    if isinstance(observation, np.ndarray):
        if observation.dtype == np.uint8:
            return observation.tobytes()
        return observation.ravel().tolist()
    return int(observation)


def played_alone(
    make: Callable[[], Any], seed: int, steps: int, *, always: bool = False
) -> list[dict[str, Any]]:
    """Return what one environment does by itself: the reference, written without any of our code."""
    env = make()
    observation, info = env.reset(seed=seed)
    rows: list[dict[str, Any]] = []
    episode = turn = 0
    for _ in range(steps):
        action = choose(observation)
        row = {
            "episode": episode,
            "step": turn,
            "observation": arrow_value(observation),
            "action": action,
            "action_mask": [bool(flag) for flag in info["action_mask"]],
        }
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        row |= {"reward": reward, "terminated": terminated, "truncated": truncated, "place": info["place"]}
        row["next_observation"] = arrow_value(observation) if over or always else None
        rows.append(row)
        turn += 1
        if over:
            observation, info = env.reset()
            episode, turn = episode + 1, 0
    return rows


class Recording:
    """Publish to a stream in memory, and read what came there."""

    def __init__(self, spec: ArchiveSpec, **options: Any) -> None:
        self.spec = spec
        self.stream = MemoryStream()
        self.publisher = Publisher(spec, self.stream, **{"run": "r"} | options)

    def rows(self) -> list[dict[str, Any]]:
        """Close the publisher, and return the rows in the order of their keys."""
        self.publisher.close()
        reader = self.stream.consumer([self.spec.topic], "reader")
        reader.poll(1, 1, 0)
        for partition in reader.assignment:
            reader.seek(partition, 0)
        tables = [decode_arrow(message.value) for message in reader.poll(10**6, 1 << 30, 0)]
        reader.close()
        if not tables:
            return []
        rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
        return sorted(rows, key=_order)

    def by_environment(self) -> dict[int, list[dict[str, Any]]]:
        """Return the rows of each environment; `episode` is the number in its episode's id."""
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows():
            environment, episode = _numbers(row)
            found[environment].append(row | {"episode": episode})
        return dict(found)


def _numbers(row: dict[str, Any]) -> tuple[int, int]:
    run, _, name = row["episode_id"].partition("/")
    assert run == "r"
    environment, _, episode = name.partition("-")
    return int(environment), int(episode)


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*_numbers(row), row["agent_id"], row["step"])
