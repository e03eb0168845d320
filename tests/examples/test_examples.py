"""The worked examples: what they land is what their logs were made of, and their pages show what they say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from examples.controllog import make_log as control
from examples.weblog import make_log as web
from lake import Lake
from tests.examples.walk import EXAMPLES, first_difference, shown, walk
from training import Policy


@pytest.fixture(scope="module")
def weblog(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("weblog")
    return folder, walk("weblog", folder)


@pytest.fixture(scope="module")
def controllog(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("controllog")
    return folder, walk("controllog", folder)


def test_the_page_of_the_web_log_shows_what_is_said(weblog: tuple[Path, list[str]]) -> None:
    assert first_difference(shown("weblog"), weblog[1]) is None


def test_the_page_of_the_control_log_shows_what_is_said(controllog: tuple[Path, list[str]]) -> None:
    assert first_difference(shown("controllog"), controllog[1]) is None


@pytest.mark.parametrize("example", ["weblog", "controllog"])
def test_what_a_page_shows_of_the_mapping_stands_there(example: str) -> None:
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    shown_part = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    mapping = yaml.safe_load((EXAMPLES / example / "mapping.yaml").read_text(encoding="utf-8"))
    assert shown_part.items() <= {**mapping, **mapping["columns"]}.items()


def test_clicks_are_the_rewards_of_the_banners_that_they_are_on(weblog: tuple[Path, list[str]]) -> None:
    lake, log = Lake(weblog[0] / "lake"), web.make_log()
    good = [view for visit in log.visits for view in visit.views if view.propensity <= 1]
    wanted = [
        (number, len(clicks), float(sum(clicks)))
        for number in range(len(web.PRODUCTS))
        for clicks in [[view.clicks for view in good if view.product == number]]
    ]
    by_product = "select action, count(*), sum(reward) from shop.steps group by 1 order by 1"
    assert lake.sql(by_product).rows() == wanted
    landed = lake.sql(
        "select split_part(episode_id, '@', 1), sum(reward), bool_or(terminated), count(*) from shop.steps"
        " group by episode_id, 1"
    ).rows()
    assert Counter(landed) == Counter(
        (visit.visitor, float(sum(view.clicks for view in seen)), visit.logged_out, len(seen))
        for visit in log.visits
        for seen in [[view for view in visit.views if view.propensity <= 1]]
    )


def test_what_is_wrong_in_the_web_log_is_in_quarantine(weblog: tuple[Path, list[str]]) -> None:
    lake, log = Lake(weblog[0] / "lake"), web.make_log()
    events = [json.loads(line) for line in log.lines if line.endswith("}")]
    views = [view for visit in log.visits for view in visit.views]
    clicked = {view.impression for view in views if view.clicks}
    in_vain = {e["id"] for e in events if e["type"] == "click" and e["impression"] not in clicked}
    wanted = {
        "late": sum(event["visitor"].startswith("offline") for event in events),
        "propensity(action_log_prob)": sum(view.propensity > 1 for view in views),
        "reward_without_step": len(in_vain),
        "undecodable": len(log.lines) - len(events),
        "unknown_kind": sum(event["type"] == "wish" for event in events),
    }
    for name in ("shop", "live"):
        found = lake.sql(f"select unnest(reasons) reason, count(*) from {name}.quarantine group by 1").rows()
        assert dict(found) == wanted


def test_a_stream_of_events_gives_the_same_steps_as_their_file(weblog: tuple[Path, list[str]]) -> None:
    own = "stream_topic, stream_partition, stream_offset, stream_row, ingested_at"
    steps = Lake(weblog[0] / "lake")
    held = [
        Counter(map(repr, steps.sql(f"select * exclude ({own}) from {name}.steps").rows()))
        for name in ("shop", "live")
    ]
    assert held[0] == held[1] and held[0].total() > 3000


def test_what_is_learned_from_the_web_log_is_clicked_twice_as_often(weblog: tuple[Path, list[str]]) -> None:
    views = [view for visit in web.make_log().visits for view in visit.views]
    likely = np.array([web.click_probability(view.taste) for view in views])
    chosen = Policy.load(weblog[0] / "policy").act(np.array([view.taste for view in views]))
    assert np.take_along_axis(likely, chosen[:, None], 1).mean() > 2 * (likely @ web.SHOWN).mean()


def runs(notes: list[control.Note]) -> Iterator[tuple[list[control.Note], bool]]:
    """Cut the notes that the timeline sees into runs, slowly; say of each whether a fault ended it."""
    for tank in sorted({note.tank for note in notes}):
        run: list[control.Note] = []
        for note in (n for n in notes if n.tank == tank and n.fault not in ("lost", "text")):
            if run and note.at - run[-1].at > timedelta(minutes=15):
                yield run, False
                run = []
            if note.code:
                yield run, True
                run = []
            else:
                run.append(note)
        if run:
            yield run, False


def test_runs_end_by_faults_and_silences(controllog: tuple[Path, list[str]]) -> None:
    lake = Lake(controllog[0] / "lake")
    expected = [(run if ended else run[:-1], ended) for run, ended in runs(control.make_log())]
    good = [note for run, _ in expected for note in run if note.fault != "glitch"]
    gaps = sum(
        later.at - note.at > timedelta(seconds=90) for run, _ in expected for note, later in pairwise(run)
    )
    counts = (
        "select count(distinct episode_id), count(*), count(*) filter (terminated)"
        ", count(*) filter (truncated), count(info)"
        ", count(distinct episode_id) filter (next_observation is not null) from tank.steps"
    )
    faults = sum(ended for _, ended in expected)
    cut_off = len(expected) - faults
    assert lake.sql(counts).rows() == [(len(expected), len(good), faults, cut_off, gaps, cut_off)]
    ((reward,),) = lake.sql("select sum(reward) from tank.steps").rows()
    assert reward == pytest.approx(-sum(note.off_by + 0.1 * note.kwh for note in good))
    found = lake.sql("select unnest(reasons) reason, count(*) from tank.quarantine group by 1").rows()
    wrong = Counter(note.fault for note in control.make_log())
    assert dict(found) == {"in_space(observation)": wrong["glitch"], "mapping(observation)": wrong["text"]}


def off_by(choose: Callable[[control.Tank], int], seed: int) -> float:
    """Let somebody run a tank for a shift, and return how far off it was on average."""
    tank = control.Tank(np.random.default_rng(seed))
    minutes = [tank.heat(choose(tank))[0] for _ in range(control.MINUTES) if not tank.has_tripped]
    return float(np.mean(minutes)) if len(minutes) == control.MINUTES else float("inf")


def test_cloning_does_what_the_operator_does_and_cql_does_better(controllog: tuple[Path, list[str]]) -> None:
    notes = [note for note in control.make_log() if note.set_point and note.operator == "ada"]
    seen = np.array([[note.temperature, note.level, note.inflow] for note in notes])
    done = np.array([control.SET_POINTS.index(note.set_point or 0) for note in notes])
    assert np.mean(Policy.load(controllog[0] / "bc").act(seen) == done) > 0.85
    learned = Policy.load(controllog[0] / "cql")

    def by_policy(tank: control.Tank) -> int:
        return control.SET_POINTS[int(learned.act([[tank.temperature, tank.level, tank.inflow]])[0])]

    def by_ada(tank: control.Tank) -> int:
        return control.usual_set_point(tank.temperature, tank.inflow)

    assert np.mean([off_by(by_policy, seed) for seed in range(3)]) < np.mean(
        [off_by(by_ada, seed) for seed in range(3)]
    )
