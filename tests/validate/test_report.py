"""The report of an archive's validation: a page that stands alone, and a short form for terminals."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lake import Lake
from lake.suite_log import suite_spans
from replaylake.cli import validate_report
from replaylake.cli.verbs import add_root
from replaylake.flows.auditing import audit_archive
from replaylake.flows.suite_watch import SuiteWatch
from replaylake.flows.validation_page import code_trend, quality_trend, spreads, validation_page
from replaylake.report import (
    Histogram,
    LineChart,
    Part,
    StackedChart,
    distance,
    histogram,
    line_chart,
    stacked_chart,
)
from schemas.errors import NotFoundError
from tests.ingest.samples import NO_REWARD_OVER, drain, make_archive, make_intake, make_stream, send, step
from tests.validate.reports import CODES, SUITE, audit, report
from validation.audits.finding import Finding

_FETCHES = ("src", "href", "srcset", "data", "poster", "action", "xlink:href")
_VOID = {"meta", "br", "hr", "img", "link", "input"}
_SVG = "http://www.w3.org/2000/svg"


class _Reader(HTMLParser):
    """Gather tags, attributes and text; check that what opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.names.update(name for name, _ in attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.names.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_it_stands_alone_and_shows_what_audits_found() -> None:
    latest = audit(9, 6, results=SUITE.validate(_table()).to_dict(), reference="cartpole-0123")
    page = validation_page(report(latest, audit(3), audit(6, 3)))
    read = _Reader(page)
    assert read.names.isdisjoint(_FETCHES)
    assert {"script", "link", "img", "iframe", "style"} & set(read.tags) == {"style"}
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert not any(name.startswith("on") for name in read.names)
    for shown in (
        "Validation of cartpole",
        "after version 6 up to 9",
        "the snapshot cartpole-0123",
        "Turns are missing in 3 episodes.",
        "3 of 40 episodes",
        "observation[1]",
        "PSI is 0.31",
        "column_values_to_be_between",
        "others (2)",
        "in force: balance",
        "return 9, 9 steps: gap",
    ):
        assert shown in read.text, shown
    assert read.text.index("Turns are missing") < read.text.index("PSI is") < read.text.index("never changes")
    assert read.tags.count("svg") == 3 + 4  # refused, flagged, quality; and the distributions


def test_an_archive_without_anything_has_a_page_too() -> None:
    bare = audit(
        0,
        rows=0,
        quarantined=0,
        episodes=0,
        complete_episodes=0,
        rejects={},
        flags={},
        quality=None,
        findings=(),
        distributions={},
        worst_episodes=(),
        suite_name="",
        suite_hash="",
        looked_at=0,
    )
    text = _Reader(validation_page(report(bare, spans=0))).text
    for shown in ("The archive has no suite", "Nothing critical was found", "No gate has judged these steps"):
        assert shown in text


HOSTILE = st.text(
    st.sampled_from("<>&\"'/={}%[]`\n\t\\#!-; abé\x00\x1b") | st.characters(codec="utf-8"),
    min_size=1,
    max_size=30,
)


def _page_about(word: str) -> str:
    """Return a page on which every text that an archive may hold is this one."""
    episode = {"source": word, "agent_id": word, "episode_id": word, "return": 1.0, "length": 1}
    latest = audit(
        1,
        archive=word,
        suite_name=word,
        rejects={word: 1},
        flags={word: 2},
        findings=(Finding(word, word, word, "critical", word, 1, 2, "rows", examples=({word: word},)),),
        distributions={word: {"edges": [0.0, 1.0], "current": [1], "reference": None}},
        worst_episodes=(episode | {"flags": [word], "rows": [{word: word}]},),
        reference=word,
    )
    return validation_page(report(latest))


@settings(max_examples=15, deadline=None)
@given(word=HOSTILE, tag=st.sampled_from(["<script>alert(1)</script>", "{{ 7*7 }}", "'\" onclick=x"]))
def test_nothing_of_the_data_becomes_markup(word: str, tag: str) -> None:
    read = _Reader(_page_about(word + tag))
    plain = _Reader(_page_about("a"))
    assert (read.tags, read.names) == (plain.tags, plain.names)
    assert "7*7" not in tag or "7*7" in read.text


def test_trends_are_percents_of_what_came() -> None:
    audits = [
        audit(1, rows=90, quarantined=10, rejects={"a": 5, "b": 10}),
        audit(2, 1, rows=0, quarantined=0, rejects={}),
        audit(3, 2, rows=10, quarantined=10, rejects={"b": 10}),
    ]
    trend = code_trend(audits, "rejects")
    assert trend is not None and [name for _, name in trend.names] == ["b", "a"]
    hints = [title.text for title in _svg(trend.drawing).iter("title")]
    assert hints == ["version 1, b: 10%", "version 1, a: 5%", "version 3, b: 50%"]
    assert code_trend(audits[1:2], "rejects") is None
    many = code_trend([audit(5)], "rejects")
    assert (
        many is not None
        and len(many.names) == 7
        and many.names[-1] == ("plain", f"others ({len(CODES) - 6})")
    )
    assert quality_trend([audit(1, quality=None)]) is None


def test_distributions_come_furthest_from_the_reference_first() -> None:
    held = {
        "same": {"edges": [0, 1, 2], "current": [2, 2], "reference": [5, 5]},
        "moved": {"edges": [0, 1, 2], "current": [4, 0], "reference": [0, 4]},
        "alone": {"edges": [0, 1, 2], "current": [1, 1], "reference": None},
    }
    found = spreads(audit(1, distributions=held))
    assert [(one.name, one.apart) for one in found] == [("moved", 1.0), ("same", 0.0), ("alone", None)]


COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30)


@given(counts=COUNTS, data=st.data())
def test_histograms_have_a_column_for_each_bin_within_the_plot(
    counts: list[int], data: st.DataObject
) -> None:
    then = data.draw(st.none() | st.lists(st.integers(0, 50), min_size=len(counts), max_size=len(counts)))
    edges = [float(number) - 3 for number in range(len(counts) + 1)]
    drawn = _svg(histogram(Histogram("x", edges, counts, then)))
    boxes = list(drawn.iter("rect"))
    assert len(boxes) == len(counts)
    for box in boxes:
        top, height = float(box.attrib["y"]), float(box.attrib["height"])
        assert 0 <= top <= 100 and height >= 0 and top + height <= 100.01
    assert 0 <= distance(counts, then) <= 1


@given(st.lists(st.lists(st.none() | st.floats(0, 100), min_size=3, max_size=3), min_size=1, max_size=5))
def test_stacks_are_as_high_as_their_sum_and_lines_break_where_nothing_is_known(
    values: list[list[float | None]],
) -> None:
    parts = [Part(str(number), held, "good") for number, held in enumerate(values)]
    chart = StackedChart("x", ["1", "2", "3"], parts, "version", "percent")
    boxes = list(_svg(stacked_chart(chart)).iter("rect"))
    assert len(boxes) == sum(bool(value) for held in values for value in held)
    drawn = _svg(line_chart(LineChart("x", ["1", "2", "3"], parts, "version", "percent", [0, 50, 100])))
    assert len(list(drawn.iter("circle"))) == sum(value is not None for held in values for value in held)
    lines = [line for line in drawn.iter("line") if line.attrib["class"].startswith("line")]
    both = sum(held[place] is not None and held[place + 1] is not None for held in values for place in (0, 1))
    assert len(lines) == both


def _svg(drawing: Any) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.__html__())  # noqa: S314


def _table() -> Any:
    import polars as pl

    return pl.DataFrame({"reward": [1.0, 5.0], "action_log_prob": [None, -0.5]})


def command(*words: str) -> Any:
    app = typer.Typer()
    add_root(app, lambda: None, example="")
    validate_report.register(app)
    return CliRunner().invoke(app, ["report", *words], catch_exceptions=False)


def test_the_command_over_a_real_archive(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    lake = Lake(archive.folder.parent)
    place = ("--lake", str(lake.folder))
    with pytest.raises(NotFoundError, match="audit of the archive 'demo'"):
        command("demo", *place)
    with stream:
        send(stream, topic, *(step(number) for number in range(40)), step(50, action=9))
        drain(stream, make_intake(archive, topic))
        audit_archive(lake, "demo")
        archive.change_suite(NO_REWARD_OVER)
        send(stream, topic, *(step(number) for number in range(40, 60)), step(99))
        drain(stream, make_intake(archive, topic, NO_REWARD_OVER))
        audit_archive(lake, "demo")
    document = json.loads(command("demo", *place, "--json").stdout)
    assert [one["version"] for one in document["history"]] == [1, 2]
    assert [one["rejects"] for one in document["history"]] == [
        {"in_space(action)": 1},
        {"between(reward)": 10},
    ]
    hashes = [span["suite_hash"] for span in document["suites"]]
    assert len(set(hashes)) == 2 and hashes[-1] == SuiteWatch(archive).gate.suite_hash
    assert [(span.first_version, span.commits) for span in suite_spans(archive)] == [(1, 1), (2, 1)]
    shown = command("demo", *place)
    assert "demo, version 2" in shown.stdout and "validate report demo --output demo.html" in shown.stderr
    page = tmp_path / "demo.html"
    assert str(page) in command("demo", *place, "--output", str(page)).stdout
    text = _Reader(page.read_text(encoding="utf-8")).text
    assert "Validation of demo" in text and "in force: no reward over the limit" in text
    assert {hashes[0], hashes[1]} <= set(text.split())
