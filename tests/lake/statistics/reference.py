"""Statistics the slow way: one Python row after another, all of them every time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

from lake.statistics.results import ArchiveStatistics, Spread

Row = dict[str, Any]
LEVELS = {"p5": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}


def day_of(row: Row) -> date:
    found: date = row["event_time"].date()
    return found


def expected(rows: Sequence[Row], since: date | None, until: date | None, chosen: Row) -> dict[str, Any]:
    """Return what statistics are to say, as `told` tells it of what they say."""
    meant = [row for row in rows if all(row.get(name) == value for name, value in chosen.items())]
    within = [row for row in meant if _inside(day_of(row), since, until)]
    days = sorted({day_of(row) for row in within})
    episodes = [one for one in _episodes(meant) if _inside(one["day"], since, until)]
    complete = [one for one in episodes if one["complete"]]
    shown = complete or episodes
    return {
        "rows": len(within),
        "rows_without_episode": sum(row["episode_id"] is None for row in within),
        "days": [str(day) for day in days],
        "missing_days": (days[-1] - days[0]).days + 1 - len(days) if days else 0,
        "endings": Counter(one["ending"] for one in episodes),
        "complete": len(complete),
        "without_return": sum(one["return"] is None for one in episodes),
        "returns": _exact(one["return"] for one in complete),
        "all_returns": _exact(one["return"] for one in episodes),
        "lengths": _exact(one["length"] for one in complete),
        "rewards": _numbers(row["reward"] for row in within),
        "observations": [_numbers(row["observation"][place] for row in within) for place in range(2)],
        "propensities": _numbers(
            None if row["action_log_prob"] is None else math.exp(row["action_log_prob"]) for row in within
        ),
        "actions": sorted(Counter(row["action"] for row in within).items()),
        "policies": _groups(
            within, [one for one in episodes if len(one["policies"]) == 1], lambda row: row["policy_version"]
        ),
        "sources": _groups(within, episodes, lambda row: row["source"]),
        "over_time": {
            str(day): (
                sum(day_of(row) == day for row in within),
                sum(one["day"] == day for one in episodes),
                _exact(one["return"] for one in shown if one["day"] == day),
            )
            for day in days
        },
    }


def told(found: ArchiveStatistics) -> dict[str, Any]:
    """Return of statistics what `expected` gives."""
    (action,), (observation,) = found.actions, found.observations
    episodes = found.episodes
    endings = {"terminated": episodes.terminated, "truncated": episodes.truncated, None: episodes.open}
    return {
        "rows": found.rows,
        "rows_without_episode": found.rows_without_episode,
        "days": [period.first for period in found.over_time],
        "missing_days": sum(gap.days for gap in found.gaps),
        "endings": +Counter(endings),
        "complete": episodes.complete,
        "without_return": episodes.without_return,
        "returns": _told_exactly(found.returns["complete"]),
        "all_returns": _told_exactly(found.returns["all"]),
        "lengths": _told_exactly(found.lengths["complete"]),
        "rewards": _told(found.rewards),
        "observations": [_told(one) for one in observation.spreads] or [_numbers([])] * 2,
        "propensities": _told(found.propensities),
        "actions": list(action.choices[0].counts) if action.choices else [],
        "policies": {one.name: (one.rows, one.episodes, one.mean_return) for one in found.policies},
        "sources": {one.name: (one.rows, one.episodes, one.mean_return) for one in found.sources},
        "over_time": {
            period.name: (period.rows, period.episodes, _told_exactly(period.returns))
            for period in found.over_time
        },
    }


def _inside(day: date, since: date | None, until: date | None) -> bool:
    return (since is None or since <= day) and (until is None or day <= until)


def _episodes(rows: Iterable[Row]) -> list[Row]:
    held: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["episode_id"] is not None:
            held[row["source"], row["agent_id"], row["episode_id"]].append(row)
    return [_episode(part) for part in held.values()]


def _episode(rows: Sequence[Row]) -> Row:
    numbered = [row for row in rows if row["step"] is not None]
    last = max((row["step"] for row in numbered), default=None)
    ends = [row for row in numbered if row["terminated"] or row["truncated"]]
    at_last = [row for row in numbered if row["step"] == last]
    ending = None
    if any(row["truncated"] for row in at_last):
        ending = "truncated"
    if any(row["terminated"] for row in at_last):
        ending = "terminated"
    came = [row["reward"] for row in rows if row["reward"] is not None]
    first = min(rows, key=lambda row: (row["step"] is None, row["step"] or 0, day_of(row)))
    return {
        "day": day_of(first),
        "length": len(rows),
        "ending": ending,
        "complete": len(numbered) == len(rows)
        and sorted(row["step"] for row in rows) == list(range(len(rows)))
        and bool(ends)
        and all(row["step"] == last for row in ends),
        "return": math.fsum(came) if came and all(map(math.isfinite, came)) else None,
        "policies": {row["policy_version"] for row in rows},
        "source": first["source"],
        "policy_version": first["policy_version"],
    }


def _groups(
    rows: Sequence[Row], episodes: Sequence[Row], named: Callable[[Row], Any]
) -> dict[Any, tuple[int, int, float | None]]:
    found = {}
    for name in {named(row) for row in rows}:
        begun = [one for one in episodes if named(one) == name]
        known = [one["return"] for one in begun if one["return"] is not None]
        mean = math.fsum(known) / len(known) if known else None
        found[name] = (sum(named(row) == name for row in rows), len(begun), mean)
    return found


def _numbers(values: Iterable[float | None]) -> tuple[Any, ...]:
    held = list(values)
    given = [value for value in held if value is not None]
    finite = [value for value in given if math.isfinite(value)]
    counts = (len(finite), len(held) - len(given), len(given) - len(finite))
    return (*counts, *_moments(finite))


def _moments(values: Sequence[float]) -> tuple[float | None, ...]:
    if not values:
        return (None, None, None, None)
    mean = math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return (mean, std, min(values), max(values))


def _exact(values: Iterable[float | None]) -> tuple[Any, ...]:
    finite = sorted(value for value in values if value is not None)
    if not finite:
        return (0, None, None, None, None, None)
    levels = []
    for share in LEVELS.values():
        place = share * (len(finite) - 1)
        low = math.floor(place)
        high = min(low + 1, len(finite) - 1)
        levels.append(finite[low] + (finite[high] - finite[low]) * (place - low))
    return (len(finite), *_moments(finite), tuple(levels))


def _told(spread: Spread) -> tuple[Any, ...]:
    counts = (spread.count, spread.missing, spread.not_finite)
    return (*counts, spread.mean, spread.std, spread.min, spread.max)


def _told_exactly(spread: Spread) -> tuple[Any, ...]:
    levels = None if spread.quantiles is None else tuple(spread.quantiles[name] for name in LEVELS)
    return (spread.count, spread.mean, spread.std, spread.min, spread.max, levels)
