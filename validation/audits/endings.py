"""Endings: whether episodes still end as they did in a clean reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.audits.leaves import numeric_leaves
from validation.neighbours import order_steps, read_steps

_FEWEST = 30  # episodes, of the reference
_CHANCE = 0.01  # of so many episodes that end in another way, after what the reference shows
_LEAST = 3  # episodes
_LIMIT_SEEN = 10  # truncated episodes, all of them at one step, make it a limit,
_BREAKS = 2  # and so many that are truncated before it break it
_FEWEST_LEAVES = 2  # a single number may well be met again
_SHOWN = 5
_NEEDED = (*EPISODE_KEY, "step", "observation", "next_observation", "terminated", "truncated", "event_time")
_Mask = NDArray[np.bool_]


def check_endings(
    reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame, spec: ArchiveSpec
) -> list[Finding]:
    """Compare how episodes end with a reference; each check needs more than chance could bring.

    Checks are `incomplete` (no end, other than the newest episode of each agent), `both_ends`, `new_end`
    (terminated or truncated, where none of the reference is), `time_limit` (truncated before the one step at
    which the reference truncates) and `reset_observation` (the last next_observation is where another
    episode begins).
    """
    known, held = _Ends.of(reference, spec), _Ends.of(current, spec)
    if len(known) < _FEWEST or not len(held):
        return []
    limit = known.limit()
    found = [
        _judge("incomplete", _usual_end(known), known, held, known.open, held.open, "have no end"),
        _judge(
            "both_ends", "truncated", known, held, known.both, held.both, "are both terminated and truncated"
        ),
        _judge(
            "reset_observation",
            "next_observation",
            known,
            held,
            known.resets,
            held.resets,
            "end with a next_observation that is the first observation of another",
        ),
    ]
    for flag in ("terminated", "truncated"):
        usual, now = known.ending(flag), held.ending(flag)
        if not usual.any():
            found.append(_judge("new_end", flag, known, held, usual, now, f"are {flag}"))
    if limit is not None:
        found.append(_time_limit(held, limit))
    return [finding for finding in found if finding is not None]


@dataclass(frozen=True, eq=False)
class _Ends:
    """Hold the last step of each episode."""

    last: pl.DataFrame
    resets: _Mask

    @classmethod
    def of(cls, steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> _Ends:
        frame = read_steps(steps, _NEEDED).select(_NEEDED)
        ordered = order_steps(frame)
        changes = ordered.episodes[1:] != ordered.episodes[:-1]
        edge = np.ones(min(1, len(ordered.rows)), np.bool_)
        firsts, lasts = np.concatenate([edge, changes]), np.concatenate([changes, edge])
        last = frame[ordered.rows[lasts]].with_columns(
            newest=pl.col("event_time") == pl.col("event_time").max().over("source", "agent_id")
        )
        begins = _vectors(frame[ordered.rows[firsts]], spec, "observation")
        following = _vectors(last, spec, "next_observation")
        return cls(last, _met_elsewhere(begins, following))

    def __len__(self) -> int:
        return self.count(np.ones(self.last.height, np.bool_))

    @property
    def open(self) -> _Mask:
        """Say which episodes have no end, and are followed by another of their agent."""
        return self._where(~pl.col("terminated") & ~pl.col("truncated") & ~pl.col("newest").fill_null(False))

    @property
    def both(self) -> _Mask:
        """Say which have both ends."""
        return self._where(pl.col("terminated") & pl.col("truncated"))

    def limit(self) -> int | None:
        """Return the step at which all truncated episodes are so, where there is one."""
        steps = self.last.filter("truncated")["step"].to_numpy()
        if len(steps) < _LIMIT_SEEN:
            return None
        return int(steps[0]) if (steps == steps[0]).all() else None

    def early(self, limit: int) -> _Mask:
        """Say which were truncated before the limit."""
        return self._where(pl.col("truncated") & (pl.col("step") < limit))

    def ending(self, flag: str) -> _Mask:
        """Say which end with a flag, and not with both."""
        return self._where(pl.col(flag) & ~(pl.col("terminated") & pl.col("truncated")))

    def count(self, which: _Mask) -> int:
        """Count episodes; those of several agents together are one, since they mostly end together."""
        return self.last.filter(pl.Series(which)).select("source", "episode_id").n_unique()

    def _where(self, condition: pl.Expr) -> _Mask:
        chosen: _Mask = self.last.select(condition.fill_null(False)).to_series().to_numpy()
        return chosen


def _usual_end(known: _Ends) -> str:
    return "terminated" if known.last["terminated"].sum() > known.last["truncated"].sum() else "truncated"


def _time_limit(held: _Ends, limit: int) -> Finding | None:
    early = held.early(limit)
    if held.count(early) < _BREAKS:
        return None
    return _finding("time_limit", "truncated", held, early, f"are truncated before step {limit}")


def _judge(
    check: str,
    column: str,
    known: _Ends,
    held: _Ends,
    usual: _Mask,
    now: _Mask,
    says: str,
) -> Finding | None:
    from scipy.stats import betabinom  # heavy, and only needed here

    count, seen = held.count(now), known.count(usual)
    if count < _LEAST:
        return None
    # The share is not known better than the reference tells it: Jeffreys' prior, and what was seen.
    chance = float(betabinom.sf(count - 1, len(held), seen + 0.5, len(known) - seen + 0.5))
    if chance > _CHANCE:
        return None
    return _finding(
        check, column, held, now, f"{says}; of the reference {seen} of {len(known)}", seen / len(known)
    )


def _finding(check: str, column: str, held: _Ends, which: _Mask, says: str, usual: float = 0.0) -> Finding:
    count = held.count(which)
    examples: list[dict[str, Any]] = (
        held.last.filter(pl.Series(which)).select(*EPISODE_KEY, "step").head(_SHOWN).to_dicts()
    )
    return Finding(
        "endings",
        check,
        column,
        "warning",
        f"{count:,} of {len(held):,} episodes {says}.",
        count,
        len(held),
        "episodes",
        count / len(held),
        usual,
        tuple(examples),
    )


def _vectors(rows: pl.DataFrame, spec: ArchiveSpec, column: str) -> NDArray[np.float64] | None:
    leaves = list(numeric_leaves(rows, spec, (column,)).values())
    return np.column_stack(leaves) if len(leaves) >= _FEWEST_LEAVES else None


def _met_elsewhere(begins: NDArray[np.float64] | None, following: NDArray[np.float64] | None) -> _Mask:
    """Say which of the vectors is the beginning of one other episode; common beginnings tell nothing."""
    if begins is None or following is None:
        return np.zeros(0 if following is None else len(following), np.bool_)
    places: dict[bytes, int] = {}
    for place, content in _contents(begins):
        places[content] = -1 if content in places else place
    met = np.zeros(len(following), np.bool_)
    for place, content in _contents(following):
        met[place] = places.get(content, -1) not in (-1, place)
    return met


def _contents(vectors: NDArray[np.float64]) -> Iterator[tuple[int, bytes]]:
    return ((place, row.tobytes()) for place, row in enumerate(vectors + 0.0))
