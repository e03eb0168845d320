"""Ranges of dates: which days lie in one, where days are missing, and the periods that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from lake.statistics.results import By, Gap
from schemas.errors import UsageError

_MOST: Final = 62  # periods that a plot shows well
_DAYS: Final[dict[By, int]] = {"day": 1, "week": 7, "month": 30}


def check_range(since: date | None, until: date | None) -> None:
    """Raise UsageError for a range that ends before it begins."""
    if since is not None and until is not None and since > until:
        raise UsageError(f"The range is from {since} to {until}.", hint="Give the earlier day first.")


def in_range(day: str, since: date | None, until: date | None) -> bool:
    """Say whether a date of the table lies in a range; one that is no date lies in the open one only."""
    if since is None and until is None:
        return True
    found = as_date(day)
    return found is not None and (since or found) <= found <= (until or found)


def as_date(day: str) -> date | None:
    """Read a date of the table; None where it is none."""
    try:
        return date.fromisoformat(day)
    except ValueError:
        return None


def usual_period(days: Sequence[str]) -> By:
    """Choose periods, so that there are not too many of them."""
    known = [found for found in map(as_date, days) if found is not None]
    span = (max(known) - min(known)).days + 1 if known else 1
    return next((by for by, length in _DAYS.items() if span <= _MOST * length), "month")


def period_of(day: str, by: By) -> str:
    """Name the period that a date lies in: a day, the Monday of a week, or a month."""
    found = as_date(day)
    if found is None:
        return day or "unknown"
    if by == "month":
        return f"{found:%Y-%m}"
    return str(found - timedelta(days=found.weekday()) if by == "week" else found)


def gaps(days: Sequence[str]) -> tuple[Gap, ...]:
    """Find the days that are missing between the first and the last."""
    known = sorted(found for found in map(as_date, days) if found is not None)
    return tuple(
        Gap(str(before + timedelta(days=1)), str(after - timedelta(days=1)), (after - before).days - 1)
        for before, after in pairwise(known)
        if (after - before).days > 1
    )


def all_periods(names: Sequence[str], by: By, most: int) -> list[str]:
    """Name the periods from the first to the last, also those without steps, unless they are too many."""
    days = [as_date(f"{name}-01" if by == "month" else name) for name in names]
    known = [day for day in days if day is not None]
    if not known or len(known) < len(days) or (max(known) - min(known)).days > most * _DAYS[by]:
        return list(names)
    span = range((max(known) - min(known)).days + 1)
    return list(dict.fromkeys(period_of(str(min(known) + timedelta(days=place)), by) for place in span))
