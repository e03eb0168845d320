"""Small plots of how often which values come, beside how often they came in a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replaylake.report.svg import FONT_SIZE, Drawing, Scale, number_text, text_width

_MARGIN = 6
_BELOW = 20  # room for the numbers below the axis


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, of now and, where there is one, of a reference; both are drawn as shares."""

    label: str
    edges: Sequence[float]
    current: Sequence[float]
    reference: Sequence[float] | None = None
    width: float = 220
    height: float = 110


def histogram(chart: Histogram) -> Drawing:
    """Draw what is now as columns, and the reference as a line of steps."""
    drawing = Drawing(chart.width, chart.height, chart.label)
    now = shares(chart.current)
    then = None if chart.reference is None else shares(chart.reference)
    along = Scale(chart.edges[0], chart.edges[-1], _MARGIN, chart.width - _MARGIN)
    up = Scale(0, max([*now, *(then or ())]) or 1, chart.height - _BELOW, _MARGIN)
    for number, share in enumerate(now):
        low, high = chart.edges[number], chart.edges[number + 1]
        hint = f"{_short(low)} to {_short(high)}: {100 * share:.1f}%"
        if then is not None:
            hint += f", in the reference {100 * then[number]:.1f}%"
        start, wide = along(low) + 0.5, along(high) - along(low) - 1
        drawing.box((start, up(share)), (wide, up(0) - up(share)), "mark tone-good", hint)
    if then is not None:
        _draw_steps(drawing, chart.edges, then, along, up)
    drawing.line((_MARGIN, up(0)), (chart.width - _MARGIN, up(0)), "base")
    _name_ends(drawing, chart, along)
    return drawing


def shares(counts: Sequence[float]) -> list[float]:
    """Return counts as shares of their sum; all are 0 where there is nothing."""
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def distance(current: Sequence[float], reference: Sequence[float] | None) -> float:
    """Say how far two distributions are apart, from 0 to 1: half the sum of their shares' differences."""
    if reference is None:
        return 0.0
    pairs = zip(shares(current), shares(reference), strict=True)
    return sum(abs(now - then) for now, then in pairs) / 2


def _draw_steps(
    drawing: Drawing, edges: Sequence[float], then: Sequence[float], along: Scale, up: Scale
) -> None:
    before = 0.0
    for number, share in enumerate(then):
        start, end = along(edges[number]), along(edges[number + 1])
        drawing.line((start, up(before)), (start, up(share)), "line tone-middle")
        drawing.line((start, up(share)), (end, up(share)), "line tone-middle")
        before = share
    drawing.line((along(edges[-1]), up(before)), (along(edges[-1]), up(0)), "line tone-middle")


def _name_ends(drawing: Drawing, chart: Histogram, along: Scale) -> None:
    """Write the outer edges, and zero where it lies well between them; of whole numbers the bins' own."""
    edges = chart.edges
    baseline = chart.height - _BELOW + FONT_SIZE + 3
    if all(edge % 1 == 0.5 for edge in edges) and edges[-1] - edges[0] == len(edges) - 1:
        for number in dict.fromkeys((edges[0] + 0.5, edges[-1] - 0.5)):
            drawing.text((along(number), baseline), _short(number), anchor="middle")
        return
    low, high = _short(edges[0]), _short(edges[-1])
    drawing.text((_MARGIN, baseline), low)
    drawing.text((chart.width - _MARGIN, baseline), high, anchor="end")
    room = text_width(low) + 3 * _MARGIN, chart.width - text_width(high) - 3 * _MARGIN
    if edges[0] < 0 < edges[-1] and room[0] < along(0) < room[1]:
        drawing.text((along(0), baseline), "0", anchor="middle")


def _short(value: float) -> str:
    """Write a number with three digits that count: 1,230 and 0.0123."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:.3g}" if abs(rounded) >= 1e6 or 0 < abs(rounded) < 1e-4 else number_text(rounded)
