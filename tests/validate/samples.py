"""Archives of pole-balancing experience, for the tests of audits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from lake import Archive, Lake
from schemas.steps import Steps
from tests.audits.rollouts import rollout, spec_of

SPEC = spec_of("CartPole-v1").model_copy(update={"name": "pole"})
RULE: dict[str, Any] = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "reward", "max_value": 2},
}
BELOW_TWO = {"name": "below two", "expectations": [RULE]}


def make(folder: Path, suite: dict[str, Any] | None = None) -> tuple[Lake, Archive]:
    """Create a lake with the archive `pole`."""
    lake = Lake(folder / "lake")
    return lake, lake.create("pole", spec=SPEC, suite=suite)


def played(seed: int, rows: int = 400) -> pa.Table:
    """Return whole episodes; another seed is other episodes."""
    return rollout("CartPole-v1", seed, rows)


def append(archive: Archive, steps: pa.Table) -> None:
    """Append steps without a gate."""
    archive.append(Steps(steps, archive.spec))


def change(steps: pa.Table, row: int, **values: Any) -> pa.Table:
    """Return the steps with other values in one row."""
    rows = steps.to_pylist()
    rows[row] |= values
    return pa.Table.from_pylist(rows, schema=steps.schema)


def episodes(lake: Lake) -> list[tuple[Any, ...]]:
    """Return the view of episodes, without which audit looked at them."""
    columns = "* exclude (audited_version, audited_at)"
    return lake.sql(f"select {columns} from pole.episodes order by source, agent_id, episode_id").rows()
