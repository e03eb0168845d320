"""Which episodes a choice chooses: by a row of each, and by conditions on their steps."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.episode_query import episodes_query
from lake.episodes import episodes_files
from lake.snapshots.choice import Choice, bracketed
from lake.snapshots.conditions import check_condition, refusal_of
from lake.snapshots.episode_keys import KEYS_SCHEMA
from lake.tables import ArchiveTables
from lake.views import TableFiles, connect
from schemas.episodes import EPISODE_KEY

_KEY = ", ".join(EPISODE_KEY)


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
    """Create `snapshot.episodes`: the lake's view of episodes, with two shorter names beside its own."""
    episodes = episodes_query("snapshot.steps", "audits.episodes")
    connection.execute(f"""
        create view snapshot.episodes as
        select *, rows as steps, episode_return as return from ({episodes})
    """)


def _steps(condition: str) -> str:
    return f"(select {_KEY} from snapshot.steps where {condition})"
