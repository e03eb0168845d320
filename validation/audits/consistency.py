"""Consistency: whether the steps of episodes, and of the agents in them, fit to one another."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation.audits.agents import check_agents
from validation.audits.episodes import check_episodes, episode_table
from validation.audits.finding import Finding


def check_consistency(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> list[Finding]:
    """Say what is wrong between steps: order, time, ends and chains of episodes, and agents out of step.

    Give all rows of the episodes concerned, in any order; wire columns will do.
    """
    return [*check_episodes(episode_table(steps, spec)), *check_agents(steps, spec)]
