"""Plots for reports: each is a record of what it shows, and a function that draws it.

Colours are classes of the page: a mark of the tone `good` is drawn with `tone-good`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from replaylake.report.axes import BOTTOM, GAP, LINE, legend, x_name, y_axis
from replaylake.report.svg import FONT_SIZE, Drawing, Scale, nice_ticks, number_text, number_texts, text_width

_RADIUS: Final = 4.5
_ROW: Final = 30  # of a bar with its distance to the next


@dataclass(frozen=True)
class Bar:
    """A value with its name, and more words where the pointer rests on it."""

    name: str
    value: float
    hint: str = ""


@dataclass(frozen=True)
class Series:
    """Values that belong together, such as the returns of one policy."""

    name: str
    values: Sequence[float]
    tone: str


@dataclass(frozen=True)
class DotChart:
    """A dot for each value of each series, side by side, with the mean of each as a line."""

    label: str
    series: Sequence[Series]
    x_name: str
    y_name: str
    y_ticks: Sequence[float]
    width: float = 960
    height: float = 330


@dataclass(frozen=True)
class ColumnChart:
    """A column for each value, with the value above it."""

    label: str
    columns: Sequence[Bar]
    x_name: str
    y_name: str
    tone: str = "plain"
    width: float = 460
    height: float = 270


@dataclass(frozen=True)
class BarChart:
    """A horizontal bar for each value, with its name before it and the value behind."""

    label: str
    bars: Sequence[Bar]
    tone: str = "plain"
    width: float = 460


@dataclass(frozen=True)
class ShareChart:
    """How two things share 100 percent, in each of several groups: `bars` hold the second one's percent."""

    label: str
    bars: Sequence[Bar]
    names: tuple[str, str]
    x_name: str
    width: float = 460
    height: float = 270


def dot_chart(chart: DotChart) -> Drawing:
    """Draw the dots, and the means with their names beside them."""
    names = [f"{series.name}  {_mean(series):.0f}" for series in chart.series]
    right = chart.width - max(map(text_width, names)) - 2 * GAP
    drawing = Drawing(chart.width, chart.height, chart.label)
    count = max(len(series.values) for series in chart.series)
    left, up = y_axis(drawing, chart.y_name, chart.y_ticks, right)
    step = (right - left) / count
    for number in range(1, count + 1):
        if number == 1 or number % 5 == 0:
            place = (left + (number - 0.5) * step, chart.height - BOTTOM + LINE + 2)
            drawing.text(place, str(number), anchor="middle")
    x_name(drawing, chart.x_name, left, right)
    spread = min(step / (len(chart.series) + 1), 3 * _RADIUS)
    for index, series in enumerate(chart.series):
        tone = f"tone-{series.tone}"
        level = up(_mean(series))
        drawing.line((left, level), (right, level), f"mean {tone}")
        shift = (index - (len(chart.series) - 1) / 2) * spread
        for number, value in enumerate(series.values):
            hint = f"{series.name}, {chart.x_name} {number + 1}: {number_text(value)}"
            drawing.circle((left + (number + 0.5) * step + shift, up(value)), _RADIUS, f"dot {tone}", hint)
    levels = spaced([up(_mean(series)) for series in chart.series], LINE)
    for series, name, level in zip(chart.series, names, levels, strict=True):
        drawing.text((right + GAP, level + FONT_SIZE / 3), name, f"strong ink-{series.tone}")
    return drawing


def column_chart(chart: ColumnChart) -> Drawing:
    """Draw the columns from zero."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    ticks = nice_ticks(0, max((column.value for column in chart.columns), default=0), 4)
    right = chart.width - GAP
    left, up = y_axis(drawing, chart.y_name, ticks, right)
    step = (right - left) / max(len(chart.columns), 1)
    texts = number_texts([column.value for column in chart.columns])
    for number, (column, text) in enumerate(zip(chart.columns, texts, strict=True)):
        middle, top = left + (number + 0.5) * step, up(column.value)
        hint = column.hint or f"{column.name}: {text}"
        size = (0.64 * step, up(0) - top)
        drawing.box((middle - 0.32 * step, top), size, f"mark tone-{chart.tone}", hint)
        drawing.text((middle, top - 5), text, "strong", "middle")
        drawing.text((middle, up(0) + LINE + 2), column.name, anchor="middle")
    x_name(drawing, chart.x_name, left, right)
    return drawing


def bar_chart(chart: BarChart) -> Drawing:
    """Draw the bars, as high a drawing as they need."""
    drawing = Drawing(chart.width, max(len(chart.bars), 1) * _ROW + GAP, chart.label)
    left = max((text_width(bar.name) for bar in chart.bars), default=0) + GAP
    texts = number_texts([bar.value for bar in chart.bars])
    right = chart.width - max(map(text_width, texts), default=0) - 2 * GAP
    along = Scale(0, max((bar.value for bar in chart.bars), default=0) or 1, left, right)
    for number, (bar, text) in enumerate(zip(chart.bars, texts, strict=True)):
        top = number * _ROW + GAP / 2
        baseline = top + 0.32 * _ROW + FONT_SIZE / 3
        drawing.text((left - GAP, baseline), bar.name, anchor="end")
        size = (along(bar.value) - left, 0.64 * _ROW)
        drawing.box((left, top), size, f"mark tone-{chart.tone}", bar.hint or bar.name)
        drawing.text((along(bar.value) + GAP, baseline), text, "strong")
    return drawing


def share_chart(chart: ShareChart) -> Drawing:
    """Draw columns of 100 percent, the second share above the first, and a line at the half."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    right = chart.width - GAP
    first, second = chart.names
    legend(drawing, [(first, "first"), (second, "second")], right)
    left, up = y_axis(drawing, "percent", [0, 25, 50, 75, 100], right)
    step = (right - left) / max(len(chart.bars), 1)
    for number, bar in enumerate(chart.bars):
        start, split = left + (number + 0.5) * step - 0.41 * step, up(100 - bar.value)
        hint = bar.hint or f"{bar.name}: {second} {number_text(bar.value)}%"
        drawing.box((start, split), (0.82 * step, up(0) - split), "mark tone-first", hint)
        drawing.box((start, up(100)), (0.82 * step, split - up(100)), "mark tone-second", hint)
        drawing.text((left + (number + 0.5) * step, up(0) + LINE + 2), bar.name, anchor="middle")
    drawing.line((left, up(50)), (right, up(50)), "half")
    x_name(drawing, chart.x_name, left, right)
    return drawing


def spaced(places: Sequence[float], distance: float) -> list[float]:
    """Move places apart until neighbours have the distance, keeping their order and their middle."""
    order = sorted(range(len(places)), key=places.__getitem__)
    groups: list[list[int]] = []
    centres: list[float] = []
    for index in order:
        groups.append([index])
        centres.append(places[index])
        while (
            len(groups) > 1 and centres[-1] - centres[-2] < distance * (len(groups[-1]) + len(groups[-2])) / 2
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
            centres[-2:] = [sum(places[member] for member in groups[-1]) / len(groups[-1])]
    moved = [0.0] * len(places)
    for group, centre in zip(groups, centres, strict=True):
        for number, index in enumerate(group):
            moved[index] = centre + (number - (len(group) - 1) / 2) * distance
    return moved


def _mean(series: Series) -> float:
    return sum(series.values) / len(series.values)
