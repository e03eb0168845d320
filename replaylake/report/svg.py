"""SVG by hand: scales, ticks, and elements that escape what they hold.

A drawing has no colours and no fonts of its own: its classes take them from the page (see
`templates/base.html.j2`), so that it reads on light and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

FONT_SIZE = 12
_WIDTH_OF_A_CHARACTER = (
    0.62 * FONT_SIZE
)  # of a wide sans-serif, on average: rather too much room than too little
_SMALLEST = 1e-300  # a range that is smaller is empty


@dataclass(frozen=True)
class Scale:
    """Map a range of values to a range of places, in a straight line."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value; all are in the middle where the range is empty."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten that span the range: about so many steps.

    The first is at or below `low`, the last at or above `high`.
    """
    if high - low < _SMALLEST:
        high = low + 1
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def number_text(value: float) -> str:
    """Write a number as people read it: 1,234 and 0.5, never 1e+03."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.10g}"


def number_texts(values: Sequence[float]) -> list[str]:
    """Write numbers that stand together, each with as many decimals as the one that needs most."""
    decimals = max((len(number_text(value).partition(".")[2]) for value in values), default=0)
    return [f"{value:,.{decimals}f}" for value in values]


def text_width(text: str) -> float:
    """Guess how wide a text is, in the units of a drawing."""
    return len(text) * _WIDTH_OF_A_CHARACTER


class Drawing:
    """Build one SVG; shapes are drawn in the order in which they are added."""

    def __init__(self, width: float, height: float, label: str) -> None:
        """Start a drawing; `label` is what it says to those who do not see it."""
        self.width, self.height = width, height
        self._root = ElementTree.Element(
            "svg", {"viewBox": f"0 0 {_place(width)} {_place(height)}", "role": "img", "aria-label": label}
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """Draw a line; `kind` names the classes that give it its colour."""
        (x1, y1), (x2, y2) = start, end
        self._add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def circle(self, centre: tuple[float, float], radius: float, kind: str, hint: str = "") -> None:
        """Draw a disc; `hint` is shown where the pointer rests on it."""
        self._hinted(self._add("circle", kind, cx=centre[0], cy=centre[1], r=radius), hint)

    def box(self, corner: tuple[float, float], size: tuple[float, float], kind: str, hint: str = "") -> None:
        """Draw a rectangle from its upper left corner; a negative size is none."""
        (x, y), (width, height) = corner, size
        drawn = self._add("rect", kind, x=x, y=y, width=max(width, 0), height=max(height, 0), rx=1.5)
        self._hinted(drawn, hint)

    def area(self, corners: Sequence[tuple[float, float]], kind: str) -> None:
        """Fill what lies between corners, in their order."""
        points = " ".join(f"{_place(x)},{_place(y)}" for x, y in corners)
        self._add("polygon", kind).set("points", points)

    def text(self, place: tuple[float, float], text: str, kind: str = "label", anchor: str = "start") -> None:
        """Write a text on its baseline; `anchor` is start, middle or end."""
        written = self._add("text", kind, x=place[0], y=place[1])
        written.set("text-anchor", anchor)
        written.text = text

    def __html__(self) -> str:
        """Return the markup, which a template takes as it is."""
        return ElementTree.tostring(self._root, encoding="unicode")

    def _add(self, tag: str, kind: str, **numbers: float) -> ElementTree.Element:
        shape = ElementTree.SubElement(self._root, tag, {name: _place(at) for name, at in numbers.items()})
        shape.set("class", kind)
        return shape

    def _hinted(self, shape: ElementTree.Element, hint: str) -> None:
        if hint:
            ElementTree.SubElement(shape, "title").text = hint


def _place(value: float) -> str:
    """Write a place short: a hundredth of a unit is finer than any screen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
