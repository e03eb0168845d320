"""Minari and d3rlpy: how each stores episodes, and reads them back."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import gymnasium

Format = Literal["hdf5", "arrow"]
FORMATS: tuple[Format, ...] = ("hdf5", "arrow")


@dataclass(slots=True)
class Played:
    """Hold one episode: an observation more than there are steps."""

    observations: list[Any]
    actions: list[Any] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False


def write_minari(folder: Path, played: Sequence[Played], env: gymnasium.Env[Any, Any], name: str) -> None:
    """Write the episodes in both formats, images without loss; Minari's own default for those is JPEG."""
    with _minari_in(folder) as minari:
        storage = import_module("minari.dataset.minari_storage").MinariStorage
        buffers = [
            minari.data_collector.EpisodeBuffer(
                id=number,
                observations=np.stack(episode.observations),
                actions=np.stack(episode.actions),
                rewards=episode.rewards,
                terminations=[False] * (len(episode.rewards) - 1) + [episode.terminated],
                truncations=[False] * (len(episode.rewards) - 1) + [not episode.terminated],
            )
            for number, episode in enumerate(played)
        ]
        measure = storage.get_size
        storage.get_size = lambda self: 0.0  # it walks over all files, after each episode
        try:
            for form in FORMATS:
                minari.create_dataset_from_buffers(
                    _dataset(name, form),
                    buffers,
                    observation_space=env.observation_space,
                    action_space=env.action_space,
                    data_format=form,
                    jpeg_encoding=False,
                )
        finally:
            storage.get_size = measure


def minari_bytes(folder: Path, name: str, form: Format) -> int:
    """Return what a dataset takes on the disk."""
    held = (folder / _dataset(name, form)).rglob("*")
    return sum(path.stat().st_size for path in held if path.is_file())


def minari_counts(folder: Path, name: str, form: Format) -> tuple[int, int]:
    """Open a dataset, and return its steps and episodes."""
    with _minari_in(folder) as minari:
        found = minari.load_dataset(_dataset(name, form))
        return int(found.total_steps), int(found.total_episodes)


def read_minari(folder: Path, name: str, form: Format) -> dict[str, NDArray[Any]]:
    """Read a dataset as the arrays of its transitions."""
    with _minari_in(folder) as minari:
        kept: dict[str, list[NDArray[Any]]] = {}
        for episode in minari.load_dataset(_dataset(name, form)).iterate_episodes():
            values = {
                "observation": episode.observations[:-1],
                "action": episode.actions,
                "reward": episode.rewards,
                "next_observation": episode.observations[1:],
                "terminated": episode.terminations,
            }
            for column, array in values.items():
                kept.setdefault(column, []).append(array)
        return {column: np.concatenate(arrays) for column, arrays in kept.items()}


def write_d3rlpy(path: Path, played: Sequence[Played]) -> None:
    """Write the episodes as d3rlpy's replay buffer does."""
    with contextlib.redirect_stderr(io.StringIO()):  # where one of its libraries speaks of its own age
        dataset = import_module("d3rlpy.dataset")
    episodes = [
        dataset.Episode(
            observations=_with_channel(np.stack(episode.observations[:-1])),
            actions=np.stack(episode.actions).reshape(len(episode.actions), -1),
            rewards=np.array(episode.rewards, dtype=np.float32)[:, None],
            terminated=episode.terminated,
        )
        for episode in played
    ]
    with path.open("w+b") as file:
        dataset.dump(episodes, file)


def _with_channel(observations: NDArray[Any]) -> NDArray[Any]:
    return observations[:, None] if observations.ndim == 3 else observations


def _dataset(name: str, form: Format) -> str:
    return f"{name}/{form}-v0"


@contextmanager
def _minari_in(folder: Path) -> Iterator[Any]:
    """Import Minari, and let its datasets be in the folder."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield import_module("minari")
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
