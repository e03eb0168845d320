"""Plots of what goes on: columns of parts, one after another, and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replaylake.report.axes import BOTTOM, GAP, LINE, x_name, y_axis
from replaylake.report.svg import Drawing, nice_ticks, number_text, text_width

_RADIUS = 3.5
_APART = 12  # between two names below the axis


@dataclass(frozen=True)
class Part:
    """One part of every column, or one line: a value for each place, None where there is none."""

    name: str
    values: Sequence[float | None]
    tone: str


@dataclass(frozen=True)
class StackedChart:
    """A column for each place, of parts that lie on one another."""

    label: str
    places: Sequence[str]
    parts: Sequence[Part]
    x_name: str
    y_name: str
    unit: str = ""
    width: float = 960
    height: float = 300


@dataclass(frozen=True)
class LineChart:
    """Lines over the same places, with a dot where there is a value."""

    label: str
    places: Sequence[str]
    parts: Sequence[Part]
    x_name: str
    y_name: str
    y_ticks: Sequence[float]
    width: float = 960
    height: float = 240


def stacked_chart(chart: StackedChart) -> Drawing:
    """Draw the columns from zero, the first part below."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    totals = [sum(part.values[place] or 0 for part in chart.parts) for place in range(len(chart.places))]
    right = chart.width - GAP
    left, up = y_axis(drawing, chart.y_name, nice_ticks(0, max(totals, default=0), 4), right)
    step = (right - left) / max(len(chart.places), 1)
    wide = min(0.72 * step, 72)
    for number, place in enumerate(chart.places):
        level = 0.0
        start = left + (number + 0.5) * step - wide / 2
        for part in chart.parts:
            value = part.values[number] or 0
            if value:
                hint = f"{chart.x_name} {place}, {part.name}: {number_text(round(value, 3))}{chart.unit}"
                height = up(level) - up(level + value)
                drawing.box((start, up(level + value)), (wide, height), f"mark tone-{part.tone}", hint)
            level += value
    name_places(drawing, chart.places, left, step)
    x_name(drawing, chart.x_name, left, right)
    return drawing


def line_chart(chart: LineChart) -> Drawing:
    """Draw the lines, broken where there is no value."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    right = chart.width - GAP
    left, up = y_axis(drawing, chart.y_name, chart.y_ticks, right)
    step = (right - left) / max(len(chart.places), 1)
    for part in chart.parts:
        before: tuple[float, float] | None = None
        dots = []
        for number, value in enumerate(part.values):
            at = None if value is None else (left + (number + 0.5) * step, up(value))
            if at is not None and before is not None:
                drawing.line(before, at, f"line tone-{part.tone}")
            if at is not None and value is not None:
                name = f"{chart.x_name} {chart.places[number]}, {part.name}"
                dots.append((at, f"{name}: {number_text(round(value, 4))}"))
            before = at
        for at, hint in dots:
            drawing.circle(at, _RADIUS, f"dot tone-{part.tone}", hint)
    name_places(drawing, chart.places, left, step)
    x_name(drawing, chart.x_name, left, right)
    return drawing


def name_places(drawing: Drawing, places: Sequence[str], left: float, step: float) -> None:
    """Write the names below the axis: as many as there is room for, the last one always among them."""
    widest = max(map(text_width, places), default=0) + _APART
    every = max(int(-(-widest // step)), 1)
    for number, place in enumerate(places):
        if (len(places) - 1 - number) % every == 0:
            at = (left + (number + 0.5) * step, drawing.height - BOTTOM + LINE + 2)
            drawing.text(at, place, anchor="middle")
