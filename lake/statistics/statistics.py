"""Statistics of an archive in a range of dates: each date is read once, and what was found is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Literal

import polars as pl

from lake.statistics.answers import kept_answer
from lake.statistics.cache import DateCache
from lake.statistics.collecting import Report, RowChoice, collected, is_sampled
from lake.statistics.fragments import ROW_COLUMNS, whole_episodes
from lake.statistics.groups import by_column, count_episodes, lengths_of, over_time, returns_of
from lake.statistics.leaves import Leaf
from lake.statistics.partitions import Partition, partitions
from lake.statistics.ranges import check_range, gaps, in_range, usual_period
from lake.statistics.refused import count_refused
from lake.statistics.results import (
    ArchiveStatistics,
    By,
    Coverage,
    LeafStatistics,
    Share,
    Tier,
)
from lake.statistics.spreads import covered, leaf_statistics, value_spread
from lake.statistics.values import KnownValues, Values, known_leaves
from lake.tables import ArchiveTables
from schemas.episodes import EPISODE_KEY
from schemas.spaces import Discrete


def archive_statistics(
    archive: ArchiveTables,
    since: date | None = None,
    until: date | None = None,
    *,
    by: By | None = None,
    policy: str | None = None,
    source: str | None = None,
    report: Report | None = None,
) -> ArchiveStatistics:
    """Return the statistics of an archive's steps, of those dates, both included.

    An episode counts where its first step is, with all its rows, wherever they are: so every date is looked
    at once for its episodes, and the dates of the range for their values. Without `by` the periods are as
    the length of the range asks. Raise UsageError for a range that ends before it begins.
    """
    check_range(since, until)
    log, everything = partitions(archive)
    choice = RowChoice(policy, source)

    def make() -> ArchiveStatistics:
        chosen = [part for part in everything if in_range(part.date, since, until)]
        cache = DateCache(archive.store, log)
        held = collected(cache, archive.spec, everything, chosen, choice, report)
        found = _Found(archive, choice, chosen, *held)
        if cache.made:
            cache.forget([part.date for part in everything])
        return found.statistics(log.version, since, until, by)

    asked = (archive.spec.hash, since, until, by, policy, source)
    found = kept_answer(archive.store, everything, asked, make)
    refused, reasons = count_refused(archive, choice, since, until)
    return replace(found, version=log.version, quarantined=refused, quarantine=reasons)


class _Found:
    """Hold what was found of the dates of a range, and tell it."""

    def __init__(
        self,
        archive: ArchiveTables,
        choice: RowChoice,
        chosen: Sequence[Partition],
        fragments: pl.DataFrame,
        values: KnownValues,
    ) -> None:
        self._archive = archive
        self._spec = archive.spec
        self._choice = choice
        self._parts = chosen
        self._values = values
        in_dates = pl.col("date").is_in([part.date for part in chosen])
        every = len(set(fragments["date"].unique()) - {part.date for part in chosen}) == 0
        rows = fragments if every else fragments.filter(in_dates)
        if not every:
            within = rows.select(EPISODE_KEY).unique()
            fragments = fragments.join(within, on=EPISODE_KEY, how="semi")
        self._rows = rows.select(ROW_COLUMNS)
        self._episodes = whole_episodes(fragments).filter(in_dates)

    def statistics(
        self, version: int, since: date | None, until: date | None, by: By | None
    ) -> ArchiveStatistics:
        rows, episodes = self._rows, self._episodes
        complete = episodes.filter("complete")
        shown: Literal["complete", "all"] = "all" if complete.is_empty() else "complete"
        days = rows["date"].unique().sort().to_list()
        by = by or usual_period(days)
        files = [file for part in self._parts for file in part.files]
        size, held = sum(file.size for file in files), sum(file.rows for file in files)
        sources, _ = by_column(rows, episodes, "source")
        agents, agent_count = by_column(rows, episodes, "agent_id")
        policies, policy_count = by_column(rows, episodes.filter(~pl.col("mixed")), "policy_version")
        return ArchiveStatistics(
            archive=self._archive.name,
            version=version,
            since=None if since is None else str(since),
            until=None if until is None else str(until),
            policy=self._choice.policy,
            source=self._choice.source,
            by=by,
            rows=int(rows["rows"].sum()),
            rows_without_episode=int(rows.filter(pl.col("episode_id").is_null())["rows"].sum()),
            first_date=days[0] if days else None,
            last_date=days[-1] if days else None,
            dates=len(days),
            first_event=rows.select(pl.col("first_time").min()).item(),
            last_event=rows.select(pl.col("last_time").max()).item(),
            gaps=gaps(days),
            episodes=count_episodes(episodes),
            returns_of=shown,
            returns={"complete": returns_of(complete), "all": returns_of(episodes)},
            lengths={"complete": lengths_of(complete), "all": lengths_of(episodes)},
            rewards=value_spread("reward", self._values.get("reward")),
            actions=self._leaves("action"),
            observations=self._leaves("observation"),
            coverage=self._coverage(),
            propensities=value_spread("propensity", self._values.get("propensity")),
            propensity=self._spec.propensity,
            lag=value_spread("lag", self._values.get("lag")),
            tiers=self._tiers(),
            bytes_per_step=size / held if held else None,
            sources=sources,
            agents=agents,
            agent_count=agent_count,
            policies=policies,
            policy_count=policy_count,
            flagged=int(rows["flagged"].sum()),
            quarantined=0,  # by now: what is in quarantine changes by itself
            quarantine=(),
            over_time=over_time(self._parts, rows, episodes, by, shown, with_bytes=not self._choice.given),
        )

    def _known(self, column: str) -> list[tuple[Leaf, Values | None]]:
        found = [leaf for leaf in known_leaves(self._spec) if leaf.column == column]
        return [(leaf, self._values.get(leaf.name)) for leaf in found]

    def _leaves(self, column: str) -> tuple[LeafStatistics, ...]:
        return tuple(
            leaf_statistics(leaf, values, sampled=self._is_sampled(leaf, values))
            for leaf, values in self._known(column)
        )

    def _is_sampled(self, leaf: Leaf, values: Values | None) -> bool:
        everything = sum(part.rows for part in self._parts) if not self._choice.given else None
        return is_sampled(leaf, self._spec) and (values is None or values.rows != everything)

    def _coverage(self) -> Coverage:
        shares: dict[bool, list[Share]] = {True: [], False: []}
        for leaf, values in (*self._known("observation"), *self._known("action")):
            shares[leaf.kind == "choices"] += covered(leaf, values)
        pairs = None
        counted = self._values.get("pairs")
        states, actions = self._spec.observation, self._spec.action
        if counted is not None and isinstance(states, Discrete) and isinstance(actions, Discrete):
            pairs = Share("observation, action", len(counted.tallies[0].numbers), states.n * actions.n)
        known = value_spread("propensity", self._values.get("propensity"))
        rows = known.count + known.missing + known.not_finite
        return Coverage(
            tuple(shares[True]), pairs, tuple(shares[False]), Share("propensity", known.count, rows)
        )

    def _tiers(self) -> tuple[Tier, ...]:
        files = [file for part in self._parts for file in part.files]
        names = dict.fromkeys(file.tier for file in files)
        return tuple(
            Tier(name, len(held), sum(file.rows for file in held), sum(file.size for file in held))
            for name in names
            if (held := [file for file in files if file.tier == name])
        )
