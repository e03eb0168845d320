"""What a snapshot chooses: conditions over steps and over episodes, columns, and a part of a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lake.snapshots.splits import Part
from schemas.episodes import EPISODE_KEY

EPISODE_KEYS = "snapshot_episode_keys"  # the table of chosen episodes in a snapshot's connection
_KEY = ", ".join(EPISODE_KEY)


@dataclass(frozen=True, slots=True)
class Choice:
    """Say which steps are chosen; nothing said chooses all of them.

    `where` is over one step. The others choose whole episodes: `episodes` by a row of each, `any_step` and
    `all_steps` by whether one of its steps or each of them meets a condition.
    """

    where: str | None = None
    episodes: str | None = None
    any_step: str | None = None
    all_steps: str | None = None
    columns: tuple[str, ...] | None = None
    part: Part | None = None

    @property
    def texts(self) -> list[str]:
        """The conditions that were given."""
        return [text for text in (self.where, *self._by_episode) if text is not None]

    @property
    def is_by_episode(self) -> bool:
        """Whether whole episodes are chosen, whose keys are to be kept."""
        return any(text is not None for text in self._by_episode)

    @property
    def condition(self) -> str:
        """The SQL condition on one step, where the keys of the chosen episodes are in `EPISODE_KEYS`."""
        conditions = [] if self.where is None else [bracketed(self.where)]
        listed = f"({_KEY}) in (select {_KEY} from {EPISODE_KEYS})"
        if self.is_by_episode:
            conditions.append(listed)
        elif self.part is not None:
            conditions.append(f"({listed} or {self.part.row_condition})")
        return f"({' and '.join(conditions)})" if conditions else "true"

    @property
    def identity(self) -> list[Any]:
        """What makes two choices equal."""
        part = None if self.part is None else [self.part.name, list(self.part.shares), self.part.seed]
        return [self.where, *self._by_episode, self.columns and list(self.columns), part]

    @property
    def _by_episode(self) -> tuple[str | None, ...]:
        return (self.episodes, self.any_step, self.all_steps)

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON-ready values."""
        return {
            "where": self.where,
            "episodes_where": self.episodes,
            "any_step": self.any_step,
            "all_steps": self.all_steps,
            "columns": None if self.columns is None else list(self.columns),
            "part": None if self.part is None else asdict(self.part) | {"shares": list(self.part.shares)},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Choice:
        """Read a choice from what was stored."""
        columns, part = content["columns"], content["part"]
        return cls(
            content["where"],
            content["episodes_where"],
            content["any_step"],
            content["all_steps"],
            None if columns is None else tuple(columns),
            None if part is None else Part(**{**part, "shares": tuple(part["shares"])}),
        )


def bracketed(condition: str) -> str:
    """Return a condition as one of several; a comment in it ends with its line."""
    return f"({condition}\n)"
