"""Plots of how numbers lie: over time as bands around a line, and at once as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replaylake.report.axes import BOTTOM, GAP, LINE, x_name, y_axis
from replaylake.report.svg import Drawing, Scale, nice_ticks, number_text, number_texts, text_width
from replaylake.report.trends import name_places

_RADIUS = 3.5
_WIDEST = 72  # of a column


@dataclass(frozen=True)
class Band:
    """Two lines with what lies between them, from place to place; None where there is nothing."""

    name: str
    lows: Sequence[float | None]
    highs: Sequence[float | None]


@dataclass(frozen=True)
class BandChart:
    """A line of middles within bands, the widest band first, all of one tone."""

    label: str
    places: Sequence[str]
    middles: Sequence[float | None]
    bands: Sequence[Band]
    hints: Sequence[str]  # for each place
    x_name: str
    y_name: str
    tone: str = "good"
    width: float = 960
    height: float = 280


@dataclass(frozen=True)
class CountChart:
    """How many numbers lie between edges."""

    label: str
    edges: Sequence[float]
    counts: Sequence[int]
    x_name: str
    y_name: str
    tone: str = "good"
    width: float = 460
    height: float = 250


def band_chart(chart: BandChart) -> Drawing:
    """Draw the bands and the line, broken where there is nothing."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    rows = (chart.middles, *(side for band in chart.bands for side in (band.lows, band.highs)))
    held = [value for values in rows for value in values if value is not None]
    right = chart.width - GAP
    ticks = nice_ticks(min(held, default=0.0), max(held, default=1.0), 4)
    left, up = y_axis(drawing, chart.y_name, ticks, right)
    step = (right - left) / max(len(chart.places), 1)
    along = [left + (number + 0.5) * step for number in range(len(chart.places))]
    for band in chart.bands:
        for run in _runs(band.lows):
            _draw_band(drawing, band, run, along, up, f"area tone-{chart.tone}", min(step / 4, 14))
    before: tuple[float, float] | None = None
    for at, value in zip(along, chart.middles, strict=True):
        here = None if value is None else (at, up(value))
        if before is not None and here is not None:
            drawing.line(before, here, f"line tone-{chart.tone}")
        before = here
    for at, value, hint in zip(along, chart.middles, chart.hints, strict=True):
        if value is not None:
            drawing.circle((at, up(value)), _RADIUS, f"dot tone-{chart.tone}", hint)
    name_places(drawing, chart.places, left, step)
    x_name(drawing, chart.x_name, left, right)
    return drawing


def count_chart(chart: CountChart) -> Drawing:
    """Draw a column between each two edges; the pointer tells the edges and the count."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    right = chart.width - 2 * GAP
    left, up = y_axis(drawing, chart.y_name, nice_ticks(0, max(chart.counts, default=0), 4), right)
    along = Scale(chart.edges[0], chart.edges[-1], left, right)
    single = all(edge % 1 == 0.5 for edge in chart.edges) and chart.edges[1] - chart.edges[0] == 1
    for low, high, count in zip(chart.edges, chart.edges[1:], chart.counts, strict=False):
        between = _short((low + high) / 2) if single else f"{_short(low)} to {_short(high)}"
        wide = min(along(high) - along(low) - 1, _WIDEST)
        start = (along(low) + along(high) - wide) / 2
        size = (wide, up(0) - up(count))
        drawing.box((start, up(count)), size, f"mark tone-{chart.tone}", f"{between}: {count:,}")
    ticks = [
        tick
        for tick in nice_ticks(chart.edges[0], chart.edges[-1], 5)
        if chart.edges[0] <= tick <= chart.edges[-1] and not (single and tick % 1)
    ]
    written = right
    for tick, text in zip(ticks[::-1], number_texts([*map(_rounded, ticks)])[::-1], strict=True):
        if along(tick) + text_width(text) / 2 <= written + 2 * GAP:
            drawing.text((along(tick), chart.height - BOTTOM + LINE + 2), text, anchor="middle")
            written = along(tick) - text_width(text) / 2 - 3 * GAP
    x_name(drawing, chart.x_name, left, right)
    return drawing


def _draw_band(
    drawing: Drawing, band: Band, run: range, along: Sequence[float], up: Scale, kind: str, alone: float
) -> None:
    corners = [(along[place], band.lows[place], band.highs[place]) for place in run]
    if len(corners) == 1:  # a place without neighbours is as wide as can be seen
        at, low, high = corners[0]
        corners = [(at - alone, low, high), (at + alone, low, high)]
    lower = [(at, up(low)) for at, low, _ in corners if low is not None]
    upper = [(at, up(high)) for at, _, high in corners if high is not None]
    drawing.area([*upper, *lower[::-1]], kind)


def _runs(values: Sequence[float | None]) -> list[range]:
    """Return the stretches of places that have values."""
    found: list[range] = []
    for place, value in enumerate(values):
        if value is None:
            continue
        if found and found[-1].stop == place:
            found[-1] = range(found[-1].start, place + 1)
        else:
            found.append(range(place, place + 1))
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _short(value: float) -> str:
    return number_text(float(f"{value:.4g}"))
