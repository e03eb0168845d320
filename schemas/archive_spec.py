"""ArchiveSpec: what one archive holds, frozen, and stored beside its tables."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from schemas.errors import SpecError
from schemas.spaces import Scalar, Space, Text
from schemas.step import RESERVED_COLUMNS
from schemas.validation_text import first_problem

NAME_PATTERN = r"[a-z][a-z0-9_]{0,62}"
# Schemas that the SQL engine owns: an archive of that name could not be queried.
_TAKEN_BY_SQL = frozenset({"main", "memory", "temp", "system", "information_schema", "pg_catalog"})
_PARTITIONABLE = ("source", "agent_id", "policy_version")


class ArchiveSpec(BaseModel):
    """Describe one archive: its spaces, and what a row must be to land in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    name: str
    observation: Space
    action: Space
    extras: dict[str, Space] = Field(default_factory=dict)
    environment: str | None = None  # the id that the spaces were read off
    reward_range: tuple[float, float] | None = None
    shared_reward: bool = False  # agents of one environment get one reward together
    propensity: Literal["mass", "density"] = "mass"
    require_propensity: bool = False
    exclusive_ends: bool = False  # terminated and truncated never both
    partition_by: tuple[str, ...] = ()  # beyond `date`
    allowed_clock_skew: timedelta = timedelta(days=1)  # how far event_time may lie after the message's own
    earliest_event_time: AwareDatetime = datetime(2000, 1, 1, tzinfo=UTC)
    max_partitions_per_commit: Annotated[int, Field(ge=1)] = 1000
    hot_days: Annotated[int, Field(ge=1)] | None = None  # rows of older days move to the cold place
    cold: str | None = None  # where that is: an absolute folder or s3://...; beside the tables without it
    retention_days: Annotated[int, Field(ge=1)] | None = None  # rows of older days are deleted

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, name: str) -> str:
        check_name(name)
        return name

    @field_validator("cold")
    @classmethod
    def _cold_is_a_place(cls, cold: str | None) -> str | None:
        if cold is not None and not cold.startswith(("s3://", "/")):
            raise ValueError(f"cold {cold!r} is neither an absolute folder nor s3://bucket/prefix")
        return cold

    @model_validator(mode="after")
    def _is_possible(self) -> ArchiveSpec:
        for name in self.extras:
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                raise ValueError(f"the extra column {name!r} is not lower-case letters, digits and _")
            if name in RESERVED_COLUMNS:
                raise ValueError(f"the extra column {name!r} has the name of a column of the step")
        for column in self.partition_by:
            extra = self.extras.get(column)
            texts = isinstance(extra, Text) or (isinstance(extra, Scalar) and extra.dtype == "string")
            if column not in _PARTITIONABLE and not texts:
                raise ValueError(
                    f"{column!r} cannot partition; {', '.join(_PARTITIONABLE)} and extra text columns can"
                )
        if len(set(self.partition_by)) != len(self.partition_by):
            raise ValueError("partition_by names a column twice")
        if self.reward_range is not None and not self.reward_range[0] <= self.reward_range[1]:
            raise ValueError(f"reward_range {self.reward_range} is not low, high")
        if self.allowed_clock_skew < timedelta(0):
            raise ValueError("allowed_clock_skew is negative")
        if self.hot_days and self.retention_days and self.hot_days >= self.retention_days:
            raise ValueError(
                f"hot_days {self.hot_days} is not below retention_days {self.retention_days}: "
                "rows would be deleted before they move"
            )
        return self

    @property
    def topic(self) -> str:
        """The stream's topic that feeds the archive."""
        return f"replaylake.{self.name}"

    @property
    def hash(self) -> str:
        """Identify the spec: equal hashes describe equal archives."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values."""
        mapping: dict[str, Any] = json.loads(self.model_dump_json())
        return mapping

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> ArchiveSpec:
        """Read a spec from JSON or YAML values; raise SpecError with the value that is impossible."""
        try:
            return cls.model_validate(mapping)
        except ValidationError as exc:
            raise SpecError(
                f"The spec is not possible: {first_problem(exc)}.",
                hint="See `replaylake archive create --help` for an example of a spec.",
            ) from exc

    @property
    def spaces(self) -> dict[str, Space]:
        """The columns that hold values of a space: observations, the action and the extras."""
        return {
            "observation": self.observation,
            "action": self.action,
            "next_observation": self.observation,
            **self.extras,
        }


def check_name(name: str) -> None:
    """Raise SpecError unless the name can be a folder, a topic and an SQL schema."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise SpecError(
            f"The archive name {name!r} is not possible.",
            hint="Use lower-case letters, digits and _, starting with a letter, 63 at most.",
        )
    if name in _TAKEN_BY_SQL:
        raise SpecError(f"The archive name {name!r} is taken by SQL.", hint="Choose another name.")
