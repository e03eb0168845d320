"""Axes of plots: their lines, numbers and names, and the names of tones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from replaylake.report.svg import FONT_SIZE, Drawing, Scale, number_texts, text_width

GAP: Final = 8  # between a mark and its text
LINE: Final = 16  # of text
TOP: Final = 32  # room for the name of the axis above the plot
BOTTOM: Final = 40  # room for labels and the name of the axis below it


def y_axis(drawing: Drawing, name: str, ticks: Sequence[float], right: float) -> tuple[float, Scale]:
    """Draw the lines of the ticks with their numbers; return where the plot begins, and its scale."""
    texts = number_texts(ticks)
    left = max(map(text_width, texts)) + GAP
    up = Scale(ticks[0], ticks[-1], drawing.height - BOTTOM, TOP)
    drawing.text((0, FONT_SIZE), name, "axis")
    for tick, text in zip(ticks, texts, strict=True):
        drawing.line((left, up(tick)), (right, up(tick)), "base" if tick == ticks[0] else "grid")
        drawing.text((left - GAP, up(tick) + FONT_SIZE / 3), text, "label", "end")
    return left, up


def x_name(drawing: Drawing, name: str, left: float, right: float) -> None:
    drawing.text(((left + right) / 2, drawing.height - 4), name, "axis", "middle")


def legend(drawing: Drawing, names: Sequence[tuple[str, str]], right: float) -> None:
    """Name the tones, in the upper right corner."""
    start = right - sum(text_width(name) + 3 * GAP for name, _ in names) + GAP
    for name, tone in names:
        drawing.box((start, 3), (10, 10), f"mark tone-{tone}")
        drawing.text((start + 10 + GAP / 2, FONT_SIZE), name)
        start += text_width(name) + 3 * GAP
