"""What statistics of an archive say, and as JSON, which `docs/statistics.md` describes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

By = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges, one edge more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers lie: without any that is finite, the count is 0 and all else is null."""

    name: str
    count: int  # of finite numbers
    missing: int = 0
    not_finite: int = 0
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    quantiles: Mapping[str, float] | None = None  # p5, p10, p25, p50, p75, p90, p95
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """How often each choice was made: the most frequent ones, and how many there are besides."""

    name: str
    count: int
    counts: tuple[tuple[int, int], ...]  # a choice and how often, ascending by choice
    seen: int  # choices that were made
    possible: int


@dataclass(frozen=True, slots=True)
class LeafStatistics:
    """What is known of one part of a space, such as a field of a Dict."""

    name: str
    kind: Literal["numbers", "choices", "pixels", "text"]  # of text, the lengths
    rows: int  # that were looked at
    sampled: bool  # only some rows were, for they are large
    spreads: tuple[Spread, ...]  # by dimension; of pixels all, then each channel
    choices: tuple[Choices, ...]  # by component


@dataclass(frozen=True, slots=True)
class Share:
    """How much of what is possible was seen."""

    name: str
    seen: int
    possible: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the spaces was seen."""

    choices: tuple[Share, ...]  # of discrete parts of the spaces
    pairs: Share | None  # of a discrete state and a discrete action
    bins: tuple[Share, ...]  # of dimensions, cut between their bounds, or else between what was seen
    propensities: Share  # steps that have one, of all


@dataclass(frozen=True, slots=True)
class Episodes:
    """How many episodes began in the range, and how they ended."""

    count: int
    complete: int  # from step 0 to an end, each step once
    incomplete: int
    terminated: int
    truncated: int
    open: int  # whose last step has neither flag
    without_return: int  # no reward came, or one was not finite


@dataclass(frozen=True, slots=True)
class Group:
    """What one source, agent or policy added; null stands for unknown."""

    name: str | None
    rows: int
    episodes: int  # of a policy: those in which it alone acted
    mean_return: float | None


@dataclass(frozen=True, slots=True)
class Tier:
    """What is kept in one place."""

    name: str
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Days without a step, between days that have some."""

    first: str
    last: str
    days: int


@dataclass(frozen=True, slots=True)
class Refused:
    """How many rows of quarantine have a reason."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Period:
    """What came in one period; episodes count where they began."""

    name: str
    first: str
    last: str
    rows: int
    bytes: int | None  # of the files, whatever the choice of rows; null where only some rows are meant
    flagged: int
    episodes: int
    complete: int
    returns: Spread  # of the episodes that `returns_of` names
    lengths: Spread


@dataclass(frozen=True, slots=True)
class ArchiveStatistics:
    """Hold the statistics of an archive's steps in a range of dates, both ends included."""

    archive: str
    version: int  # of the steps table
    since: str | None
    until: str | None
    policy: str | None
    source: str | None
    by: By
    rows: int
    rows_without_episode: int
    first_date: str | None
    last_date: str | None
    dates: int
    first_event: datetime | None
    last_event: datetime | None
    gaps: tuple[Gap, ...]
    episodes: Episodes
    returns_of: Literal["complete", "all"]  # which episodes the plots and periods are about
    returns: Mapping[str, Spread]  # of complete episodes, and of all
    lengths: Mapping[str, Spread]
    rewards: Spread
    actions: tuple[LeafStatistics, ...]
    observations: tuple[LeafStatistics, ...]
    coverage: Coverage
    propensities: Spread
    propensity: Literal["mass", "density"]  # of a density, the logarithms
    lag: Spread  # seconds from event to landing
    tiers: tuple[Tier, ...]
    bytes_per_step: float | None
    sources: tuple[Group, ...]
    agents: tuple[Group, ...]
    agent_count: int
    policies: tuple[Group, ...]
    policy_count: int
    flagged: int
    quarantined: int
    quarantine: tuple[Refused, ...]
    over_time: tuple[Period, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; what is not finite is null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else value
