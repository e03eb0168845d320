"""What two snapshots have in common, and what only one of them has."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa

from lake.snapshots.snapshot import Snapshot
from lake.views import unreadable
from schemas.episodes import EPISODE_KEY

_EXAMPLES = 5
_KEY = ", ".join(EPISODE_KEY)
# Rows of no episode are put into buckets by a hash, so that few of them are looked at one by one.
_BUCKET = "if(episode_id is null, (hash(step, event_id) % 4096)::bigint, 0)"
_GROUPS = f"""
    select {_KEY}, {_BUCKET} as bucket, count(*) as rows, fsum(reward) as return,
        (sum(hash(step, event_id)::hugeint) % 9223372036854775807)::bigint as fingerprint
    from snapshot.steps where {{condition}} group by all
"""
_ROWS = f"""
    with held as (select {_KEY}, step, event_id, {_BUCKET} as bucket from snapshot.steps where {{condition}})
    select {_KEY}, step, event_id, count(*) as rows
    from held semi join differing on held.source is not distinct from differing.source
        and held.agent_id is not distinct from differing.agent_id
        and held.episode_id is not distinct from differing.episode_id and held.bucket = differing.bucket
    group by all
"""
_BESIDE = f"""
    create table groups as
    select {_KEY}, bucket, sum(a)::bigint as a, sum(b)::bigint as b,
        min(fingerprint) = max(fingerprint) as alike
    from (
        select {_KEY}, bucket, fingerprint, rows as a, 0 as b from groups_a
        union all select {_KEY}, bucket, fingerprint, 0, rows from groups_b
    ) group by all
"""
_CHANGED = "a > 0 and b > 0 and not (a = b and alike)"
_FIGURES = "count(*), min({0}), median({0}), avg({0}), max({0})"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Count what only the one has, what only the other has, and what both have."""

    only_a: int
    only_b: int
    both: int


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """Compare two snapshots; rows are known by their keys, episodes of one agent each by theirs."""

    a: str
    b: str
    rows: Overlap
    episodes: Overlap
    changed_episodes: int  # both have them, with other rows
    examples: dict[str, list[dict[str, Any]]]  # of episodes that only one has, and of changed ones
    files: Overlap
    choices: dict[str, tuple[Any, Any]]  # what was said differently when they were made
    spec: dict[str, tuple[Any, Any]]
    lengths: tuple[dict[str, float], dict[str, float]]  # in chosen rows
    returns: tuple[dict[str, float], dict[str, float]]

    @property
    def is_same(self) -> bool:
        """Whether both hold the same rows."""
        return not self.rows.only_a and not self.rows.only_b

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {**asdict(self), "same": self.is_same}


def diff_snapshots(a: Snapshot, b: Snapshot) -> SnapshotDiff:
    """Compare two snapshots, of one archive or of two."""
    try:
        with a.connect() as of_a, b.connect() as of_b, duckdb.connect() as beside:
            for name, connection, snapshot in (("a", of_a, a), ("b", of_b, b)):
                beside.register(f"groups_{name}", _table(connection, _GROUPS, snapshot))
            beside.execute(_BESIDE)
            differing = beside.sql(f"select * from groups where {_CHANGED}")
            keys = differing.to_arrow_table()
            for name, connection, snapshot in (("a", of_a, a), ("b", of_b, b)):
                connection.register("differing", keys)
                beside.register(f"rows_{name}", _table(connection, _ROWS, snapshot))
            return _difference(beside, a, b)
    except duckdb.Error as exc:
        raise unreadable(exc) from exc


def _table(connection: duckdb.DuckDBPyConnection, query: str, snapshot: Snapshot) -> pa.Table:
    return connection.sql(query.format(condition=snapshot.condition)).to_arrow_table()


def _difference(beside: duckdb.DuckDBPyConnection, a: Snapshot, b: Snapshot) -> SnapshotDiff:
    files_a, files_b = ({(held.archive.name, name) for name in held.files} for held in (a, b))
    conditions = {
        "only_a": "episode_id is not null and b = 0",
        "only_b": "episode_id is not null and a = 0",
        "changed": f"episode_id is not null and {_CHANGED}",
    }
    return SnapshotDiff(
        a=a.id,
        b=b.id,
        rows=_rows(beside),
        episodes=Overlap(
            _count(beside, conditions["only_a"]),
            _count(beside, conditions["only_b"]),
            _count(beside, "episode_id is not null and a > 0 and b > 0"),
        ),
        changed_episodes=_count(beside, conditions["changed"]),
        examples={name: _examples(beside, condition) for name, condition in conditions.items()},
        files=Overlap(len(files_a - files_b), len(files_b - files_a), len(files_a & files_b)),
        choices=_unequal(
            *({"archive": held.archive.name, **held.choice.to_json()} for held in (a, b)),
        ),
        spec=_unequal(a.spec.to_json(), b.spec.to_json()),
        lengths=(_figures(beside, "groups_a", "rows"), _figures(beside, "groups_b", "rows")),
        returns=(_figures(beside, "groups_a", "return"), _figures(beside, "groups_b", "return")),
    )


def _rows(beside: duckdb.DuckDBPyConnection) -> Overlap:
    """Count rows: whole groups where they are alike or one has none, and else row by row."""
    counted = f"""
        select sum(greatest(a - b, 0))::bigint, sum(greatest(b - a, 0))::bigint, sum(least(a, b))::bigint
        from (
            select a, b from groups where a = 0 or b = 0 or (a = b and alike)
            union all
            select sum(a), sum(b) from (
                select {_KEY}, step, event_id, rows as a, 0 as b from rows_a
                union all select {_KEY}, step, event_id, 0, rows from rows_b
            ) group by {_KEY}, step, event_id
        )
    """
    found: list[tuple[Any, ...]] = beside.execute(counted).fetchall()
    return Overlap(*(count or 0 for count in found[0]))


def _count(beside: duckdb.DuckDBPyConnection, condition: str) -> int:
    found: list[tuple[int]] = beside.execute(f"select count(*) from groups where {condition}").fetchall()
    return found[0][0]


def _examples(beside: duckdb.DuckDBPyConnection, condition: str) -> list[dict[str, Any]]:
    query = f"select {_KEY} from groups where {condition} order by {_KEY} limit {_EXAMPLES}"
    examples: list[dict[str, Any]] = beside.sql(query).to_arrow_table().to_pylist()
    return examples


def _figures(beside: duckdb.DuckDBPyConnection, groups: str, column: str) -> dict[str, float]:
    query = f"select {_FIGURES.format(column)} from {groups} where episode_id is not null"
    found: list[tuple[Any, ...]] = beside.execute(query).fetchall()
    return dict(zip(("episodes", "min", "median", "mean", "max"), found[0], strict=True))


def _unequal(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name)}
