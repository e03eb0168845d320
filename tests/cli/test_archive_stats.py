"""`replaylake archive stats`: tables, the JSON document and the page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lake import Lake
from replaylake.flows.statistics_page import spread_plot, statistics_page
from replaylake.flows.statistics_text import amount, duration, short
from replaylake.report import Band, BandChart, CountChart, Drawing, band_chart, count_chart
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete, MultiDiscrete, Space, Text
from tests.cli.command import call, ok
from tests.lake.archives import DAY, append, row

_SPACES: dict[str, tuple[Space, Space]] = {
    "numbers": (Box(shape=(30,)), Box(shape=(2,), low=-1, high=1)),
    "choices": (Discrete(n=3), MultiDiscrete(nvec=(2, 40))),
    "mixed": (
        Dict(spaces={"camera": Box(shape=(20, 20, 3), dtype="uint8"), "task": Text()}),
        Discrete(n=2),
    ),
}
_VALUES = {
    "numbers": ([0.5] * 30, [0.25, -1.0]),
    "choices": (2, [1, 39]),
    "mixed": ({"camera": np.full((20, 20, 3), 7, np.uint8), "task": "<b>tidy</b>"}, 1),
}


def test_tables_for_people(lake: Path) -> None:
    shown = ok("archive", "stats", "cartpole")
    lines = [line.rstrip() for line in shown.out.splitlines()]
    assert "steps         200" in lines
    assert "episodes      20: 20 complete, 0 not" in lines
    assert any(line.startswith("returns       mean 10, median 10, 10 to 10") for line in lines)
    assert any("2 of 2 choices of action" in line for line in lines)
    assert any(line.split()[:2] == ["2026-03-01", "70"] for line in lines)
    assert any(line.split() == ["in_space(action)", "2"] for line in lines)
    assert "Next: replaylake archive stats cartpole --html cartpole.html" in shown.err


def test_the_document(lake: Path) -> None:
    found = ok("archive", "stats", "cartpole", "--json").document
    assert (found["rows"], found["by"], found["quarantined"]) == (200, "day", 3)
    assert found["episodes"]["terminated"] == 20
    assert found["returns"]["complete"]["quantiles"]["p50"] == 10
    assert [period["rows"] for period in found["over_time"]] == [70, 70, 60]
    assert sum(count for _, count in found["actions"][0]["choices"][0]["counts"]) == 200
    some = ok(
        "archive", "stats", "cartpole", "--since", "2026-03-02", "--until", "2026-03-02", "--json"
    ).document
    assert (some["rows"], some["since"], some["episodes"]["count"]) == (70, "2026-03-02", 7)
    by_month = ok("archive", "stats", "cartpole", "--by", "month", "--json").document
    assert [period["name"] for period in by_month["over_time"]] == ["2026-03"]


def test_the_page(lake: Path, folder: Path) -> None:
    shown = ok("archive", "stats", "cartpole", "--html", "page.html")
    assert shown.out == "The statistics of cartpole are in page.html.\n"
    page = (folder / "page.html").read_text()
    for said in ("Statistics of cartpole", "Return by day", "Steps by day", "in_space(action)", "20 of 20"):
        assert said in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert ok("archive", "stats", "cartpole", "--html", "page.html", "--json").document["html"] == "page.html"


@pytest.mark.parametrize("options", [("--since", "2030-01-01"), ("--policy", "nobody"), ("--source", "x")])
def test_nothing_there_is_said(options: tuple[str, str], lake: Path, folder: Path) -> None:
    shown = ok("archive", "stats", "cartpole", *options)
    assert shown.out.startswith("cartpole has no steps there (") and options[1] in shown.out
    assert ok("archive", "stats", "cartpole", *options, "--json").document["rows"] == 0
    ok("archive", "stats", "cartpole", *options, "--html", "none.html")
    assert "There are no steps here" in (folder / "none.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cartpol",), "Did you mean 'cartpole'?"),
        (("cartpole", "--since", "yesterday"), "is no day such as 2026-03-31"),
        (("cartpole", "--since", "2026-02-30"), "is no day such as 2026-03-31"),
        (("cartpole", "--since", "2026-03-02", "--until", "2026-03-01"), "from 2026-03-02 to 2026-03-01"),
        (("cartpole", "--by", "year"), "'year'"),
        (("cartpole", "--html", "."), "is a folder"),
    ],
    ids=str,
)
def test_wrong_use(words: tuple[str, ...], said: str, lake: Path) -> None:
    outcome = call("archive", "stats", *words)
    assert outcome.code == 2 and outcome.out == ""
    assert said in " ".join(outcome.err.replace("│", " ").split())


@pytest.mark.parametrize("kind", _SPACES)
def test_a_page_and_tables_for_every_kind_of_space(kind: str, tmp_path: Path) -> None:
    observation, action = _SPACES[kind]
    seen, done = _VALUES[kind]
    archive = Lake(tmp_path / "lake").create(
        kind, spec=ArchiveSpec(name=kind, observation=observation, action=action)
    )
    rewards = [1.5e308, -1.5e308, float("nan"), None, 1.0]
    rows = [
        row(0, episode_id=f"{day}{place}", observation=seen, action=done, reward=reward, terminated=True)
        | {"event_time": DAY + timedelta(days=day), "policy_version": f"<i>{place}</i>", "source": "s\x1b[2J"}
        for day in (0, 1, 3)
        for place, reward in enumerate(rewards)
    ]
    append(archive, *rows)
    page = statistics_page(archive.statistics())
    assert "<i>" not in page.replace("<i class", "") and "&lt;i&gt;0" in page
    for drawing in page.split("<svg")[1:]:
        assert "nan" not in drawing.partition("</svg>")[0].lower()
        ElementTree.fromstring("<svg" + drawing.partition("</svg>")[0] + "</svg>")  # noqa: S314 - ours
    shown = ok("archive", "stats", kind, "--lake", tmp_path / "lake").out
    assert "\x1b" not in shown and "<i>0</i>" in shown


def test_a_band_breaks_where_nothing_is_known() -> None:
    lows, highs = [0.0, 1.0, None, 2.0], [3.0, 4.0, None, 5.0]
    chart = BandChart(
        "b", list("abcd"), [1.0, 2.0, None, 3.0], [Band("half", lows, highs)], list("wxyz"), "x", "y"
    )
    drawn = _read(band_chart(chart))
    areas = [area.attrib["points"].split() for area in drawn.iter("polygon")]
    assert [len(points) for points in areas] == [4, 4]
    assert len([line for line in drawn.iter("line") if "line" in line.attrib["class"].split()]) == 1
    assert [dot[0].text for dot in drawn.iter("circle")] == ["w", "x", "z"]


def test_a_column_for_each_two_edges() -> None:
    drawn = _read(count_chart(CountChart("c", [-0.5, 0.5, 1.5], [3, 1], "x", "y")))
    columns = list(drawn.iter("rect"))
    assert [column[0].text for column in columns] == ["0: 3", "1: 1"]
    heights = [float(column.attrib["height"]) for column in columns]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.05)


def test_what_has_no_scale_is_not_drawn(tmp_path: Path) -> None:
    archive = Lake(tmp_path / "lake").create(
        "huge", spec=ArchiveSpec(name="huge", observation=Box(shape=(1,)), action=Discrete(n=2))
    )
    append(archive, row(0, reward=1.7e308))
    assert spread_plot(archive.statistics().rewards, "l", "x", "y") is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (short(None), ""),
        (short(1234.567), "1,235"),
        (short(0.00001234567), "1.235e-05"),
        (short(float("inf")), "inf"),
        (amount(0), "0 bytes"),
        (amount(21.5), "21.5 bytes"),
        (amount(2_140_000), "2.14 MB"),
        (duration(None), ""),
        (duration(0.25), "0.25 s"),
        (duration(-7200), "-2 h"),
        (duration(86400 * 3), "3 days"),
    ],
)
def test_numbers_as_people_read_them(told: str, said: str) -> None:
    assert told == said


def _read(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.__html__())  # noqa: S314 - drawn here
