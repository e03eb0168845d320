"""How statistics are told to people: numbers, amounts, times and ranges in few signs."""

from __future__ import annotations

from lake.statistics.results import ArchiveStatistics
from replaylake.report.svg import number_text

_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")
_TIMES = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))


def said_range(found: ArchiveStatistics) -> str:
    """Say which steps are meant."""
    days = {
        (False, False): "all dates",
        (True, False): f"from {found.since} on",
        (False, True): f"up to {found.until}",
        (True, True): f"{found.since} to {found.until}",
    }[(found.since is not None, found.until is not None)]
    choice = {"policy": found.policy, "source": found.source}
    return ", ".join([days, *(f"{name} {value}" for name, value in choice.items() if value is not None)])


def short(value: float | None, digits: int = 4) -> str:
    """Write a number with so many digits that count."""
    if value is None:
        return ""
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return number_text(float(f"{value:.{digits}g}"))
    return f"{value:.{digits}g}"


def amount(size: float) -> str:
    """Write an amount of bytes."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if unit else f"{size:.4g} {_UNITS[0]}"


def duration(seconds: float | None) -> str:
    """Write a time that passed, in the unit that fits."""
    if seconds is None:
        return ""
    unit, length = next((pair for pair in _TIMES if abs(seconds) >= 2 * pair[1]), ("s", 1.0))
    return f"{short(seconds / length, 3)} {unit}"
