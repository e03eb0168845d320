"""What may be wrong with an episode: the codes of its flags, and the findings that they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.expectation import Severity

_AUDIT = "episodes"
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class EpisodeCheck:
    """Describe one check: which episodes it holds for, and what is said of them."""

    name: str
    severity: Severity
    says: str  # what these episodes have
    counts: str = ""  # the column that counts it, where it may happen more than once
    unit: str = ""  # what that column counts
    column: str | None = None  # what it is about
    where: pl.Expr | None = None  # the episodes that it holds for, where no column counts it

    @property
    def holds(self) -> pl.Expr:
        """Choose the episodes that it holds for."""
        return pl.col(self.counts) > 0 if self.where is None else self.where


EPISODE_CHECKS = (
    EpisodeCheck(
        "gap", "warning", "lack steps between their first and last", "missing_steps", "steps", "step"
    ),
    EpisodeCheck("duplicate_step", "warning", "have a step twice", "duplicate_steps", "rows", "step"),
    EpisodeCheck("unnumbered_row", "warning", "have rows without a step", "unnumbered_rows", "rows", "step"),
    EpisodeCheck(
        "late_start", "warning", "do not begin at step 0", column="step", where=pl.col("first_step") != 0
    ),
    EpisodeCheck(
        "wrong_next_observation",
        "critical",
        "have a next_observation that is not the observation of the step after",
        "wrong_next_observations",
        "steps",
        "next_observation",
    ),
    EpisodeCheck("bad_end", "critical", "go on after an end", "bad_ends", "ends", "terminated"),
    EpisodeCheck(
        "time_reversal",
        "warning",
        "have steps that happened before the step before them",
        "time_reversals",
        "steps",
        "event_time",
    ),
    EpisodeCheck(
        "missing_reward", "warning", "have steps without a reward", "missing_rewards", "steps", "reward"
    ),
    EpisodeCheck(
        "incomplete",
        "info",
        "have no end; the newest may still be going on",
        column="terminated",
        where=pl.col("ending").is_null(),
    ),
)


def check_episodes(episodes: pl.DataFrame) -> list[Finding]:
    """Say what is wrong in a table of episodes: one finding for each check that something fails."""
    return [*_by_check(episodes), *_abandoned(episodes), *_copies(episodes)]


def _by_check(episodes: pl.DataFrame) -> Iterator[Finding]:
    for check in EPISODE_CHECKS:
        concerned = episodes.filter(check.holds)
        if not concerned.height:
            continue
        figure, amount = None, ""
        if check.counts:
            figure = float(concerned[check.counts].sum())
            amount = f" ({figure:,.0f} {check.unit})"
            concerned = concerned.sort(check.counts, *EPISODE_KEY, descending=[True, False, False, False])
        yield Finding(
            _AUDIT,
            check.name,
            check.column,
            check.severity,
            f"{_of(concerned.height, episodes.height)} {check.says}{amount}.",
            count=concerned.height,
            total=episodes.height,
            subject="episodes",
            value=figure,
            examples=_examples(concerned, check.counts),
        )


def _abandoned(episodes: pl.DataFrame) -> Iterator[Finding]:
    """Find episodes without an end that go on no more: their agent has begun and ended another."""
    ended = pl.col("started_at").filter(pl.col("ending").is_not_null())
    since = ended.max().over("source", "agent_id") > pl.col("ended_at")
    found = episodes.filter(pl.col("ending").is_null() & since).sort(EPISODE_KEY)
    if found.height:
        yield Finding(
            _AUDIT,
            "abandoned",
            "terminated",
            "warning",
            f"{_of(found.height, episodes.height)} have no end, and their agent has ended later ones.",
            count=found.height,
            total=episodes.height,
            subject="episodes",
            examples=_examples(found, ""),
        )


def _copies(episodes: pl.DataFrame) -> Iterator[Finding]:
    """Find episodes whose content another episode has, step for step."""
    held = episodes.filter(pl.col("fingerprint").is_not_null()).sort(
        "fingerprint", "started_at", *EPISODE_KEY
    )
    first = [pl.col(name).first().over("fingerprint").alias(f"copy_of_{name}") for name in EPISODE_KEY]
    again = pl.col("fingerprint").is_first_distinct().not_()
    copies = held.with_columns(first).filter(again).sort(EPISODE_KEY)
    if not copies.height:
        return
    yield Finding(
        _AUDIT,
        "copied_episode",
        "episode_id",
        "warning",
        f"{_of(copies.height, episodes.height)} repeat another one, step for step.",
        count=copies.height,
        total=episodes.height,
        subject="episodes",
        examples=copies.select(*EPISODE_KEY, pl.col("^copy_of_.*$")).head(_EXAMPLES).to_dicts(),
    )


def _examples(concerned: pl.DataFrame, counts: str) -> list[dict[str, Any]]:
    shown = [*EPISODE_KEY, "length", *([counts] if counts else [])]
    return concerned.select(shown).head(_EXAMPLES).to_dicts()


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} episodes"
