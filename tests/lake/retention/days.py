"""Steps of several days, and what is seen of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from lake import Archive, Lake, read_steps
from tests.lake.archives import SPEC, append, row

TODAY = date(2026, 3, 31)
AGED = SPEC.model_copy(update={"hot_days": 7, "retention_days": 30})


def on_day(age: int, step: int, **changes: Any) -> dict[str, Any]:
    """Return a step of so many days ago."""
    day = TODAY - timedelta(days=age)
    return row(step, event_time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC), **changes)


def fill(archive: Archive, *ages: int) -> None:
    """Append two steps of each of these days, a commit each."""
    for age in ages:
        append(archive, *(on_day(age, step, episode_id=f"e{age}") for step in range(2)))


def seen(lake: Lake) -> list[tuple[Any, ...]]:
    """Return the rows that the steps of now have: their episodes, steps, observations and days."""
    rows = read_steps(lake.archive("demo")).to_pylist()
    return sorted((row["episode_id"], row["step"], row["observation"][0], row["date"]) for row in rows)


def rows_of(*ages: int) -> list[tuple[Any, ...]]:
    """Return what is seen of such days."""
    days = {age: (TODAY - timedelta(days=age)).isoformat() for age in ages}
    return sorted((f"e{age}", step, float(step), days[age]) for age in ages for step in range(2))
