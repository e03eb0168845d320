"""What is played, how it is spread over time, how it is broken, and how the score is judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from ingest import IngestReport
from replaylake.flows.demo import Figures, Goal, Landed, Load, Scores
from replaylake.flows.demo.damage import KINDS, Damage, break_rows, choose_rows
from replaylake.flows.demo.playing import ENV, Controller, Row, play, play_whole
from replaylake.flows.demo.table import step_table
from training import Evaluation

TODAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(play(2_000, seed=3))


def test_exactly_so_many_steps_are_played_and_every_episode_ends(rows: list[Row]) -> None:
    assert len(rows) == 2_000
    starts = [row for row in rows if row.step == 0]
    ends = [row for row in rows if row.terminated or row.truncated]
    assert len(starts) == len(ends) == rows[-1].episode + 1
    assert all(row.observation.shape == (4,) and row.reward == 1 for row in rows)
    again = list(play(2_000, seed=3))
    assert [row.action for row in again] == [row.action for row in rows]


def test_propensities_are_those_of_the_controller() -> None:
    controller = Controller((0, 0, 1, 0), epsilon=0.5)
    leaning = np.array([0, 0, 0.1, 0], np.float32)
    assert controller.act(leaning, 0.7) == (1, 0.75)
    assert controller.act(leaning, 0.8) == (0, 0.25)
    assert Controller((0, 0, 1, 0), epsilon=1.0).act(leaning, 0.8) == (0, 0.5)


def test_propensities_are_as_often_true_as_they_say(rows: list[Row]) -> None:
    random = [row for row in rows if row.policy == "random"]
    assert random and {row.propensity for row in random} == {0.5}
    noisy = [row.propensity for row in rows if row.policy != "random"]
    assert all(0.15 <= chance <= 0.3 or 0.7 <= chance <= 0.85 for chance in noisy)


def test_whole_episodes_are_played_from_the_given_starts() -> None:
    returns = play_whole([1, 2, 3], seed=4)
    assert returns == play_whole([1, 2, 3], seed=4)
    assert len(returns) == 3 and min(returns) >= 8


def test_events_run_forward_over_the_last_seven_days(rows: list[Row]) -> None:
    table = step_table(rows, 3, TODAY)
    times = np.array(table["event_time"].cast("int64"))
    episodes = np.array([row.episode for row in rows])
    gaps = np.diff(times)
    assert set(gaps[np.diff(episodes) == 0].tolist()) == {20_000}
    days = {moment.date() for moment in table["event_time"].to_pylist()}
    assert days == {(TODAY - timedelta(days=back)).date() for back in range(1, 8)}
    later = np.array(step_table(rows, 3, TODAY + timedelta(days=2))["event_time"].cast("int64"))
    assert set((later - times).tolist()) == {2 * 86_400_000_000}


def test_an_episode_lies_on_one_day(rows: list[Row]) -> None:
    table = step_table(rows, 3, TODAY).group_by("episode_id").aggregate([("event_time", "min_max")])
    for span in table["event_time_min_max"].to_pylist():
        assert span["min"].date() == span["max"].date()


def test_an_observation_that_the_next_row_has_is_not_sent_twice(rows: list[Row]) -> None:
    table = step_table(rows, 3, TODAY)
    ends = pc.or_(table["terminated"], table["truncated"])
    assert table["next_observation"].is_valid().equals(ends)


def test_one_row_in_a_hundred_is_broken_in_six_ways_in_turn(rows: list[Row]) -> None:
    chosen = choose_rows(len(rows), seed=3)
    assert len(set(chosen.tolist())) == 20
    broken = break_rows(step_table(rows, 3, TODAY).take(chosen))
    assert [one.kind for one in broken] == [*KINDS, *KINDS, *KINDS, *KINDS][:20]
    assert len({one.line for one in broken}) == 20
    assert all(one.line == one.line.strip() and b"\n" not in one.line for one in broken)


def test_damage_matches_where_all_of_it_is_found_for_one_reason() -> None:
    assert Damage("x", 3, {"a": 3}).matched
    assert not Damage("x", 3, {"a": 2}).matched
    assert not Damage("x", 3, {"a": 2, "b": 1}).matched


@pytest.mark.parametrize(
    ("reasons", "accepted", "matched"),
    [(("a", "b"), 97, True), (("a", "a"), 97, False), (("a", "b"), 96, False)],
)
def test_what_landed_matches_where_kinds_and_counts_do(
    reasons: tuple[str, str], accepted: int, matched: bool
) -> None:
    damage = (Damage("x", 2, {reasons[0]: 2}), Damage("y", 1, {reasons[1]: 1}))
    assert Landed(IngestReport(accepted=accepted, quarantined=3), damage, 100).matched is matched


@pytest.mark.parametrize(
    ("cql", "bc", "behaviour", "faults"),
    [(450, 250, 30, 0), (449, 10, 10, 1), (500, 301, 10, 1), (500, 10, 301, 1)],
)
def test_the_score_is_judged_as_it_is(cql: float, bc: float, behaviour: float, faults: int) -> None:
    scores = Scores(*(Evaluation(ENV, 0, (mean,), (1,)) for mean in (cql, bc, behaviour)))
    figures: Any = SimpleNamespace(
        load=Load(goal=Goal()), scores=scores, landed=SimpleNamespace(matched=True)
    )
    found = Figures.faults.fget(figures)  # type: ignore[attr-defined]
    assert len(found) == faults
    assert all(f"score {cql:.1f}" in fault for fault in found)
