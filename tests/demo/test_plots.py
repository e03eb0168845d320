"""Scales, ticks and plots, by cases worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replaylake.report import (
    Bar,
    BarChart,
    ColumnChart,
    DotChart,
    Drawing,
    Scale,
    Series,
    ShareChart,
    bar_chart,
    column_chart,
    dot_chart,
    nice_ticks,
    share_chart,
)
from replaylake.report.charts import spaced
from replaylake.report.svg import number_text, number_texts


def _read(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.__html__())  # noqa: S314 - drawn here


def _numbers(shape: ElementTree.Element, *names: str) -> tuple[float, ...]:
    return tuple(float(shape.attrib[name]) for name in names)


def _texts(drawing: Drawing) -> list[str]:
    return [str(text.text) for text in _read(drawing).iter("text")]


def test_a_scale_is_a_straight_line() -> None:
    up = Scale(0, 50, 200, 100)
    assert [up(0), up(25), up(50)] == [200, 150, 100]
    assert Scale(3, 3, 0, 10)(3) == 5


@pytest.mark.parametrize(
    ("low", "high", "about", "ticks"),
    [
        (0, 500, 5, [0, 100, 200, 300, 400, 500]),
        (0, 33, 4, [0, 10, 20, 30, 40]),
        (0, 0.7, 4, [0, 0.2, 0.4, 0.6, 0.8]),
        (-12, 9, 5, [-15, -10, -5, 0, 5, 10]),
        (0, 0, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_and_span_the_range(low: float, high: float, about: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, about) == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_are_even_and_not_many(low: float, span: float, about: int) -> None:
    ticks = nice_ticks(low, low + span, about)
    steps = [after - before for before, after in pairwise(ticks)]
    assert ticks[0] <= low + 1e-6 * span and ticks[-1] >= low + span - 1e-6 * span
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6)
    assert len(steps) <= about + 2


def test_numbers_are_written_for_people() -> None:
    assert [number_text(value) for value in (1234, 0.5, 500.0, 1e6)] == ["1,234", "0.5", "500", "1,000,000"]
    assert number_texts([31, 25.2]) == ["31.0", "25.2"]
    assert number_texts([0.2, 0.2 * 3]) == ["0.2", "0.6"]
    assert number_texts([]) == []


@pytest.mark.parametrize(
    ("places", "moved"),
    [([10, 50], [10, 50]), ([10, 12], [3, 19]), ([12, 10], [19, 3]), ([0, 0, 0], [-16, 0, 16]), ([], [])],
)
def test_labels_are_moved_apart(places: list[float], moved: list[float]) -> None:
    assert spaced(places, 16) == moved


def test_text_and_labels_are_escaped() -> None:
    drawing = Drawing(10, 10, 'a "b" <c>')
    drawing.text((1, 2), "x < y & z")
    drawing.box((0, 0), (-1, 5), "mark", "<script>")
    assert "<script>" not in drawing.__html__()
    root = _read(drawing)
    assert root.attrib["aria-label"] == 'a "b" <c>'
    assert root[0].text == "x < y & z"
    assert _numbers(root[1], "width", "height") == (0, 5)


def test_columns_stand_on_zero_and_are_as_high_as_their_values() -> None:
    drawing = column_chart(ColumnChart("l", [Bar("a", 10), Bar("b", 40)], "day", "mean"))
    low, high = [_numbers(box, "y", "height") for box in _read(drawing).iter("rect")]
    assert high[1] == pytest.approx(4 * low[1], abs=0.05)
    assert sum(low) == pytest.approx(sum(high), abs=0.05)
    assert {"a", "b", "10", "40", "day", "mean"} <= set(_texts(drawing))


def test_bars_are_as_long_as_their_values() -> None:
    drawing = bar_chart(BarChart("l", [Bar("long name", 84), Bar("b", 42, "hint"), Bar("c", 0)]))
    first, second, third = [_numbers(box, "x", "width") for box in _read(drawing).iter("rect")]
    assert first[0] == second[0] == third[0]
    assert first[1] == pytest.approx(2 * second[1], abs=0.05)
    assert third[1] == 0
    assert [title.text for title in _read(drawing).iter("title")] == ["long name", "hint", "c"]


def test_shares_fill_the_column() -> None:
    drawing = share_chart(ShareChart("l", [Bar("x", 25)], ("left", "right"), "angle"))
    below, above = [_numbers(box, "y", "height") for box in list(_read(drawing).iter("rect"))[2:]]
    assert below[1] == pytest.approx(3 * above[1], abs=0.05)
    assert above[0] + above[1] == pytest.approx(below[0])


def test_every_value_has_a_dot_at_its_height() -> None:
    chart = DotChart("l", [Series("a", [0, 50], "good"), Series("b", [100], "bad")], "n", "y", [0, 50, 100])
    root = _read(dot_chart(chart))
    places = [_numbers(dot, "cx", "cy") for dot in root.iter("circle")]
    (_, zero), (_, half), (_, full) = places
    assert zero - half == pytest.approx(half - full)
    assert places[0][0] < places[2][0] < places[1][0]  # b's first value stands right of a's first one
    means = [_numbers(line, "y1", "y2") for line in root.iter("line") if "mean" in line.attrib["class"]]
    assert means[0] == pytest.approx([(zero + half) / 2] * 2, abs=0.01)
    assert {"a  25", "b  100"} <= set(_texts(dot_chart(chart)))


def test_a_chart_of_nothing_is_still_a_drawing() -> None:
    for drawing in (
        column_chart(ColumnChart("l", [], "x", "y")),
        bar_chart(BarChart("l", [])),
        share_chart(ShareChart("l", [], ("a", "b"), "x")),
    ):
        assert _read(drawing).tag == "svg"
