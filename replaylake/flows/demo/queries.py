"""The three questions that the demo asks its lake in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lake import Lake


@dataclass(frozen=True)
class Query:
    """One question: its title, its text as a person would write it, and what to know of the answer."""

    title: str
    sql: str
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """A question with the rows that it gave."""

    query: Query
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows by the names of their columns."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {"title": self.query.title, "sql": self.query.sql, "rows": list(self.records())}


RETURNS_PER_DAY: Final = Query(
    "Mean return per day",
    """\
select date, count(*) as episodes, round(avg(episode_return), 1) as mean_return
from (
    select episode_id, min(date) as date, sum(reward) as episode_return
    from cartpole.steps
    group by episode_id
)
group by date
order by date""",
    "The rewards of rows in quarantine are missing, one in a hundred.",
)
ACTIONS_BY_ANGLE: Final = Query(
    "Action balance by angle of the pole",
    """\
select
    3 * floor(degrees(observation[3]) / 3)::int as from_degrees,
    count(*) as steps,
    round(100 * avg(action), 1) as percent_right,
    round(avg(action_probability), 2) as mean_propensity
from cartpole.steps
group by from_degrees
order by from_degrees""",
    "Bins of three degrees; a pole that leans right has a positive angle.",
)
QUARANTINE_BY_REASON: Final = Query(
    "Quarantine by reason",
    """\
select reason, count(*) as "rows", min(detail) as "for example"
from (select unnest(reasons) as reason, detail from cartpole.quarantine)
group by reason
order by "rows" desc, reason""",
)
QUERIES: Final = (RETURNS_PER_DAY, ACTIONS_BY_ANGLE, QUARANTINE_BY_REASON)


def ask(lake: Lake, query: Query) -> Answer:
    """Run one of the queries."""
    result = lake.sql(query.sql)
    return Answer(query, tuple(result.columns), tuple(result.rows()))
