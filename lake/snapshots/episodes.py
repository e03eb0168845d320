"""Which episodes a choice chooses: by a row of each, and by conditions on their steps."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.episodes import audited_schema, episodes_files
from lake.snapshots.choice import Choice, bracketed
from lake.snapshots.conditions import check_condition, refusal_of
from lake.snapshots.episode_keys import KEYS_SCHEMA
from lake.tables import ArchiveTables
from lake.views import TableFiles, connect, quoted
from schemas.episodes import EPISODE_KEY

_KEY = ", ".join(EPISODE_KEY)
# What an episode is now, whatever an audit has seen of it. The names are those of the audits' table, where
# it has such a column.
_COUNTED = """
    select {key},
        min(date) as date,
        count(*) as rows,
        count(*) as steps,
        count(distinct step) as length,
        min(step) as first_step,
        max(step) as last_step,
        coalesce(fsum(reward), 0) as return,
        coalesce(fsum(reward), 0) as episode_return,
        count(*) - count(reward) as missing_rewards,
        arg_max_null(
            if(terminated, 'terminated', if(truncated, 'truncated', null)), row(step, terminated, truncated)
        ) filter (step is not null) as ending,
        coalesce(first_step = 0 and ending is not null and length = last_step + 1 and length = rows, false)
            and count(*) filter (terminated or truncated) = 1 as complete,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        coalesce(list_sort(list_distinct(list(policy_version))), []) as policy_versions,
        count(*) filter (len(flags) > 0) as flagged_rows,
        avg(quality_score) as quality_score
    from snapshot.steps where episode_id is not null group by {key}
"""
_COUNTED_COLUMNS = frozenset(
    "date rows steps length first_step last_step return episode_return missing_rewards ending complete "
    "started_at ended_at policy_versions flagged_rows quality_score".split()
)
# What only an audit says.
AUDITED_COLUMNS = tuple(
    name for name in audited_schema().names if name not in {*EPISODE_KEY, *_COUNTED_COLUMNS}
)


def choose_episodes(
    archive: ArchiveTables, table: StepsTables, names: Sequence[str], choice: Choice
) -> pa.Table:
    """Return the keys of the episodes in files of the steps table that a choice chooses, in order.

    Raise QueryError for a condition that is none.
    """
    views = {
        "snapshot": {"steps": TableFiles(table, names)},
        "audits": {"episodes": episodes_files(archive)},
    }
    with connect(views) as connection:
        _create_view(connection)
        query = f"select {_KEY} from snapshot.steps where episode_id is not null"
        if choice.episodes is not None:
            check_condition(connection, "snapshot.episodes", choice.episodes)
            query = f"select {_KEY} from snapshot.episodes where {bracketed(choice.episodes)}"
        if choice.any_step is not None:
            check_condition(connection, "snapshot.steps", choice.any_step)
            query = f"({query}) intersect {_steps(f'{bracketed(choice.any_step)}')}"
        if choice.all_steps is not None:
            check_condition(connection, "snapshot.steps", choice.all_steps)
            unmet = f"not coalesce(try_cast({bracketed(choice.all_steps)} as boolean), false)"
            query = f"({query}) except {_steps(unmet)}"
        with refusal_of(" and ".join(choice.texts), "steps and episodes"):
            found = connection.sql(f"select distinct {_KEY} from ({query}) order by {_KEY}")
            return found.to_arrow_table().cast(KEYS_SCHEMA)


def _create_view(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `snapshot.episodes`: what is counted of each episode, and beside it what audits found."""
    found = ", ".join(f"audited.{quoted(name)}" for name in AUDITED_COLUMNS)
    connection.execute(f"""
        create view snapshot.episodes as
        select counted.*, {found}
        from ({_COUNTED.format(key=_KEY)}) as counted
        left join audits.episodes as audited using ({_KEY})
    """)


def _steps(condition: str) -> str:
    return f"(select {_KEY} from snapshot.steps where {condition})"
