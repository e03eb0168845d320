"""The report stands alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import jinja2
import pytest

from replaylake.report import render_page
from tests.demo.conftest import Ran

_FETCHES = ("src", "href", "srcset", "data", "poster", "action", "xlink:href")
_VOID = {"meta", "br", "hr", "img", "link", "input"}


class _Reader(HTMLParser):
    """Gather tags, text, and what a browser would fetch; check that what opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.fetched += [f"{name}={value}" for name, value in attrs if name in _FETCHES]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def page(ran: Ran) -> str:
    report: str = ran.document["paths"]["report"]
    return (ran.cwd / report).read_text(encoding="utf-8")


def test_it_fetches_nothing(page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    assert reader.open == [] and reader.fetched == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(reader.tags)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)


def test_it_shows_plots_figures_and_ids(page: str, ran: Ran) -> None:
    reader = _Reader()
    reader.feed(page)
    text = " ".join(" ".join(reader.text).split())
    assert reader.tags.count("svg") == 4
    assert reader.tags.count("circle") == 9  # three policies, three episodes each
    found = ran.document
    for shown in (found["snapshot"]["id"], found["versions"]["torch"], *found["next"]):
        assert shown in text
    assert all(reason in text for reason in found["ingested"]["reasons"])
    assert f"{found['scores']['cql']:.1f}" in text


def test_it_reads_on_light_and_on_dark(page: str) -> None:
    style = page[page.index("<style>") : page.index("</style>")]
    light, dark = (set(re.findall(r"--(\w+):", part)) for part in style.split("@media (prefers-color", 1))
    assert light == dark == set(re.findall(r"var\(--(\w+)\)", style)) | {"first", "second"}


def test_text_is_escaped_and_a_missing_name_is_an_error() -> None:
    template = '{% extends "base.html.j2" %}{% block body %}{{ name }}{% endblock %}'
    assert "<main>\n&lt;b&gt;</main>" in render_page(template, {"name": "<b>"})
    with pytest.raises(jinja2.UndefinedError):
        render_page(template, {})
