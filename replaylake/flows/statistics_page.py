"""The statistics of an archive as one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lake.statistics.ranges import all_periods
from lake.statistics.results import ArchiveStatistics, Choices, LeafStatistics, Period, Spread
from replaylake.flows.statistics_text import amount, duration, said_range, short
from replaylake.report import (
    Band,
    BandChart,
    Bar,
    BarChart,
    ColumnChart,
    CountChart,
    Drawing,
    Histogram,
    Part,
    StackedChart,
    band_chart,
    bar_chart,
    column_chart,
    count_chart,
    histogram,
    render_page,
    stacked_chart,
)

_COLUMNS = 12  # choices that stand side by side; more become bars
_BARS = 20
_PLOTS = 12  # of dimensions, shown at once
_ROWS = 40  # of a table, shown at once
_PERIODS = 500  # of a plot; where there are more, those without steps are left out
_TOO_LARGE = 1e300  # beyond, there is no scale to draw


def statistics_page(found: ArchiveStatistics) -> str:
    """Return the page; it needs nothing beside itself, and escapes all that the archive holds."""
    template = files("replaylake.report").joinpath("templates/statistics.html.j2")
    shown = found.returns_of
    periods, axis = time_axis(found)
    content = {
        "found": found,
        "returns": found.returns[shown],
        "lengths": found.lengths[shown],
        "size": sum(tier.bytes for tier in found.tiers),
        "said": said_range(found),
        "number": short,
        "amount": amount,
        "duration": duration,
        "plots": _PLOTS,
        "table_rows": _ROWS,
        "rows_plot": rows_plot(periods, axis),
        "return_plot": return_plot(periods, axis),
        "missing": _missing(found),
        "return_counts": spread_plot(found.returns[shown], "Returns of episodes", "return", "episodes"),
        "length_counts": spread_plot(found.lengths[shown], "Lengths of episodes", "steps", "episodes"),
        "reward_counts": spread_plot(found.rewards, "Rewards", "reward", "steps"),
        "propensity_counts": spread_plot(
            found.propensities, "Propensities", _propensity_name(found), "steps"
        ),
        "policy_plot": policy_plot(found),
        "actions": [_leaf(leaf, "good") for leaf in found.actions],
        "observations": [_leaf(leaf, "second") for leaf in found.observations],
        "covered": {share.name: share for share in (*found.coverage.bins, *found.coverage.choices)},
    }
    return render_page(template.read_text(encoding="utf-8"), content)


@dataclass(frozen=True)
class Axis:
    """Name the periods of a plot, and what they are."""

    places: Sequence[str]
    name: str


def time_axis(found: ArchiveStatistics) -> tuple[list[Period | None], Axis]:
    """Return the periods from the first to the last, None for one without steps, and their names."""
    known = {period.name: period for period in found.over_time}
    names = all_periods(list(known), found.by, _PERIODS)
    years = {name[:4] for name in names}
    if found.by != "month" and len(years) == 1:
        return [known.get(name) for name in names], Axis([name[5:] for name in names], _of(found.by, years))
    return [known.get(name) for name in names], Axis(names, _of(found.by, set()))


def _of(by: str, years: set[str]) -> str:
    name = "week from" if by == "week" else by
    return f"{name}, {min(years)}" if years else name


def _missing(found: ArchiveStatistics) -> str:
    """Say which days are missing."""
    if not found.gaps:
        return ""
    named = [one.first if one.days == 1 else f"{one.first} to {one.last}" for one in found.gaps[:3]]
    return f"Days without a step: {', '.join(named)}{' and others' if len(found.gaps) > 3 else ''}."


def rows_plot(periods: Sequence[Period | None], axis: Axis) -> Drawing:
    """Draw how many steps came in each period, those that the gate flagged apart."""
    flagged = [0 if period is None else period.flagged for period in periods]
    rows = [0 if period is None else period.rows for period in periods]
    parts = [Part("steps", [count - apart for count, apart in zip(rows, flagged, strict=True)], "good")]
    if any(flagged):
        parts.append(Part("flagged", flagged, "middle"))
    label = f"Steps by {axis.name}"
    return stacked_chart(StackedChart(label, axis.places, parts, axis.name, "steps", height=230))


def return_plot(periods: Sequence[Period | None], axis: Axis) -> Drawing | None:
    """Draw the median return of each period, with the bands that most episodes lie in."""
    known = [
        period.returns if period is not None and _is_drawable(period.returns) else None for period in periods
    ]
    if not any(known):
        return None
    levels = {
        name: [None if one is None or one.quantiles is None else one.quantiles[name] for one in known]
        for name in ("p10", "p25", "p50", "p75", "p90")
    }
    hints = [
        ""
        if one is None
        else f"{place}: median {short(middle)}, half of {one.count:,} episodes {short(low)} to {short(high)}"
        for place, one, low, middle, high in zip(
            axis.places, known, levels["p25"], levels["p50"], levels["p75"], strict=True
        )
    ]
    bands = [
        Band("80% of episodes", levels["p10"], levels["p90"]),
        Band("50% of episodes", levels["p25"], levels["p75"]),
    ]
    label = f"Return by {axis.name}: median and bands"
    return band_chart(BandChart(label, axis.places, levels["p50"], bands, hints, axis.name, "return"))


def spread_plot(spread: Spread, label: str, x_name: str, y_name: str) -> Drawing | None:
    """Draw a histogram; None where there is nothing to be drawn."""
    if not _is_drawable(spread) or spread.histogram is None:
        return None
    edges, counts = spread.histogram.edges, spread.histogram.counts
    return count_chart(CountChart(label, edges, counts, x_name, y_name))


def policy_plot(found: ArchiveStatistics) -> Drawing | None:
    """Draw the mean return of policies, where there are several and returns are not negative."""
    known = [one for one in found.policies if one.mean_return is not None]
    if len(known) < 2 or any((one.mean_return or 0) < 0 for one in known):
        return None
    bars = [
        Bar(_cut(one.name or "unknown"), float(f"{one.mean_return:.4g}"), f"{one.episodes:,} episodes")
        for one in known[:_BARS]
    ]
    return bar_chart(BarChart("Mean return by policy", bars, "second", 960))


def _leaf(leaf: LeafStatistics, tone: str) -> dict[str, Any]:
    """Return a part of a space with its plots."""
    spreads = [
        (spread.name, histogram(Histogram(f"Distribution of {spread.name}", *_bins(spread))))
        for spread in leaf.spreads
        if spread.histogram is not None and _is_drawable(spread)
    ]
    return {"leaf": leaf, "choices": [_choices(one, tone) for one in leaf.choices], "plots": spreads}


def _bins(spread: Spread) -> tuple[tuple[float, ...], tuple[int, ...]]:
    assert spread.histogram is not None  # noqa: S101 (asked before)
    return spread.histogram.edges, spread.histogram.counts


def _choices(one: Choices, tone: str) -> dict[str, Any]:
    """Return a component with a plot of its most frequent choices, in percent."""
    most = sorted(sorted(one.counts, key=lambda pair: -pair[1])[:_BARS])
    bars = [
        Bar(str(choice), float(f"{100 * count / max(one.count, 1):.3g}"), f"{choice}: {count:,}")
        for choice, count in most
    ]
    label = f"How often each choice of {one.name} was made"
    drawing = (
        column_chart(ColumnChart(label, bars, "choice", "percent of steps", tone))
        if len(bars) <= _COLUMNS
        else bar_chart(BarChart(label, bars, tone))
    )
    return {"choices": one, "drawing": drawing, "others": one.seen - len(bars)}


def _is_drawable(spread: Spread) -> bool:
    bounds = (spread.min, spread.max)
    return spread.count > 0 and all(bound is not None and abs(bound) < _TOO_LARGE for bound in bounds)


def _propensity_name(found: ArchiveStatistics) -> str:
    return "probability of the action" if found.propensity == "mass" else "log density of the action"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
