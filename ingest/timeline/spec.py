"""TimelineSpec: the `timeline` section of a mapping, which says how events become steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from ingest.timeline.durations import Duration
from schemas.errors import SpecError
from schemas.validation_text import first_problem

Combine = Literal["sum", "last", "max", "first"]


def _listed(value: object) -> object:
    """Take one where several may stand."""
    return [value] if isinstance(value, str | int | float | Mapping | BaseModel) else value


Values = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
_STRICT = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class EndEvents(BaseModel):
    """Name events that end a session and are no step of it."""

    model_config = _STRICT

    values: Values
    terminated: bool  # else the session is truncated


class RewardEvents(BaseModel):
    """Name events that bring a reward to a step before them."""

    model_config = _STRICT

    values: Values
    key: str  # the column whose equal values join such an event to its step
    window: Duration  # how long after its step it still counts, by event time
    before: Duration = timedelta(0)  # how much earlier than its step it may be stamped, where clocks differ
    value: str | FiniteFloat = "reward"  # the column of the reward, or a constant
    combine: Combine = "sum"  # several of them for one step


class TimelineSpec(BaseModel):
    """Say how the events of a log become steps; see `docs/timeline.md` for what each setting means."""

    model_config = _STRICT

    session: Values  # columns whose equal values, with source and agent, are one session's key
    time: str = "event_time"
    timeout: Duration = timedelta(minutes=30)  # a longer silence truncates the session
    lateness: Duration = timedelta(minutes=5)  # the watermark is the largest time seen minus this
    kind: str | None = None  # the column that tells events apart; without it every event is a step
    steps: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    ends: Annotated[tuple[EndEvents, ...], BeforeValidator(_listed)] = ()
    rewards: Annotated[tuple[RewardEvents, ...], BeforeValidator(_listed)] = ()
    ignores: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()  # other kinds are refused
    default_reward: FiniteFloat | None = 0.0  # where `rewards` brought none; null leaves it unknown
    last_step: Literal["fold", "keep"] = "fold"  # of a truncated session, where what came next is unknown
    gap: Duration | None = None  # a longer silence inside a session is noted in the step before it
    max_sessions: Annotated[int, Field(ge=1)] = 100_000
    max_events: Annotated[int, Field(ge=1)] = 1_000_000  # held at once
    max_bytes: Annotated[int, Field(ge=1)] = 256 << 20  # of what is held

    @model_validator(mode="after")
    def _is_possible(self) -> TimelineSpec:
        named = [*self.steps, *self.ignores]
        for end in self.ends:
            named += end.values
        for reward in self.rewards:
            named += reward.values
        if self.kind is None and named:
            raise ValueError(f"{named[0]!r} is named, and no `kind` says which column tells events apart")
        if self.kind is not None and not self.steps:
            raise ValueError("`kind` is given, and `steps` does not say which of its values are steps")
        twice = sorted({value for value in named if named.count(value) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is named twice")
        if not self.timeout:
            raise ValueError("timeout is 0")
        return self

    @property
    def window(self) -> timedelta:
        """The longest time that a step waits for its rewards."""
        return max((reward.window for reward in self.rewards), default=timedelta(0))

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the timeline reads beside those of the step."""
        found = {*self.session, self.time}
        if self.kind is not None:
            found.add(self.kind)
        for reward in self.rewards:
            found.add(reward.key)
            if isinstance(reward.value, str):
                found.add(reward.value)
        return frozenset(found)

    @property
    def hash(self) -> str:
        """Identify the spec: equal hashes make equal steps of equal events."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values."""
        content: dict[str, Any] = json.loads(self.model_dump_json())
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TimelineSpec:
        """Read a spec from JSON or YAML values; raise SpecError with the value that is impossible."""
        try:
            return cls.model_validate(content)
        except ValidationError as exc:
            raise SpecError(
                f"The timeline is not possible: {first_problem(exc)}.",
                hint="Mend the section `timeline` of the mapping; docs/timeline.md describes it.",
            ) from exc
