"""Constraints over sequences: what they may say, which rows they judge, and what they find."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SuiteError
from tests.audits.episode_rows import IMAGES, VECTORS, episode, steps_of
from tests.audits.rollouts import rollout, spec_of
from validation.audits.constraints import apply_constraints
from validation.columns import Columns
from validation.constraint import parse_constraint
from validation.neighbours import order_steps

NAN = math.nan
NAMES = {"x": "observation[0]", "v": "observation[1]"}


def judged(text: str, rows: Any, **names: str) -> list[bool | None]:
    """Return what a constraint says of each row."""
    frame = pl.DataFrame(rows)
    return (
        parse_constraint(text, Columns(frame.to_arrow().schema), names or NAMES)
        .judge(frame, order_steps(frame))
        .to_list()
    )


def _walk(*places: float | None, **changes: list[Any]) -> pa.Table:
    seen = [[place, 1.0] for place in places]
    return steps_of(VECTORS, episode(len(places), observation=seen, next_observation=None, **changes))


WORDS: list[tuple[str, list[bool | None]]] = [
    ("x < 2", [True, True, False]),
    ('element("observation", 0) < 2', [True, True, False]),
    ('col("observation").list.get(0) < 2', [True, True, False]),
    ("observation[0] < 2", [True, True, False]),
    ("observation[0] - previous_observation[0] == observation[1]", [None, True, False]),
    ("x - previous_x == 1", [None, True, False]),
    ("following_x - x == 1", [True, False, None]),
    ('element("previous_observation", 0) + 1 == x', [None, True, False]),
    ('col("previous_reward") == reward', [None, True, True]),
    ("abs(x - previous_x) <= 1", [None, True, False]),
    ("(x - previous_x).abs() <= 1", [None, True, False]),
    ("0 <= x < 2", [True, True, False]),
    ("x < 1 or not x < 3", [True, False, True]),
    ("x >= 0 and v == 1", [True, True, True]),
    ("max(x, v) <= 1", [True, True, False]),
    ("sqrt(x) <= 1", [True, True, False]),
    ("step == previous_step + 1", [None, True, True]),
    ("when(step == 2).then(x == 4).otherwise(x < 2)", [True, True, True]),
    ("x.cast(Int64) * 2 >= step", [True, True, True]),
    ("previous_x.is_null() | (x > previous_x)", [True, True, True]),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_what_a_constraint_may_say(text: str, expected: list[bool | None]) -> None:
    assert judged(text, _walk(0.0, 1.0, 4.0)) == expected


def test_next_is_the_next_observation() -> None:
    rows = steps_of(VECTORS, episode(3))
    assert judged("next_x - x == 1", rows) == [True, True, True]
    assert judged("next_x == following_x", rows) == [True, True, None]


def test_neighbours_never_cross_a_gap_an_end_or_an_episode() -> None:
    rows = _walk(0.0, 1.0, 2.0, 3.0, step=[0, 1, 3, 4], terminated=[False, False, True, False])
    assert judged("x > previous_x", rows) == [None, True, None, None]
    two = steps_of(VECTORS, [*episode(2), *episode(2, episode_id="f")])
    assert judged("x > previous_x", two) == [None, True, None, True]


def test_what_is_not_known_is_not_judged() -> None:
    assert judged("x < 9", _walk(0.0, NAN, None)) == [True, None, None]
    assert judged("reward < 9", _walk(0.0, 1.0, 2.0, reward=[1.0, NAN, None])) == [True, None, None]
    again = steps_of(VECTORS, [*episode(2), {**episode(2)[1], "event_id": "x"}])
    assert judged("x > previous_x", again) == [None, True, None]
    assert judged("x >= 0", again) == [True, True, True]


def test_fields_and_elements_of_structs() -> None:
    seen = [{"camera": b"ab", "speed": [float(step)]} for step in range(3)]
    rows = steps_of(IMAGES, episode(3, observation=seen, next_observation=seen))
    assert judged("speed > previous_speed", rows, speed="observation.speed[0]") == [None, True, True]
    assert judged("observation.speed[0] < 2", rows) == [True, True, False]
    assert judged("next_speed < 2", rows, speed="observation.speed[0]") == [True, True, False]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(8)), st.sets(st.integers(0, 7), max_size=3))
def test_the_order_of_rows_changes_nothing(order: list[int], lost: set[int]) -> None:
    held = [
        row
        for row in episode(8, observation=[[step * step, 1.0] for step in range(8)])
        if row["step"] not in lost
    ]
    order = [place for place in order if place < len(held)]
    rows = steps_of(VECTORS, held)
    straight = judged("x - previous_x <= 9", rows)
    assert judged("x - previous_x <= 9", rows.take(pa.array(order))) == [straight[place] for place in order]
    for row, got in zip(held, straight, strict=True):
        step = row["step"]
        assert got == (None if step == 0 or step - 1 in lost else step * step - (step - 1) ** 2 <= 9)


MISTAKES: list[tuple[str, str]] = [
    ("x +", "no expression"),
    ("y < 1", "no column and no name 'y'. There are"),
    ("rewards < 1", "Did you mean 'reward'?"),
    ("1 < 2", "reads no column"),
    ("x + 1", "is Float64, not true or false"),
    ("observation < 1", "not one value. Write observation[0]"),
    ("element('observation', -1) < 1", "element takes a column and a number"),
    ("element('reward', 0) < 1", "has no elements"),
    ("shuffle(x) < 1", "no function 'shuffle'"),
    ("__import__('os').system('true') == 0", "no function '__import__'"),
    ("x.map_elements(1) < 1", "no method 'map_elements'"),
    ("[y for y in 1] == 1", "no part of a constraint"),
    ("(lambda: 1) == 1", "A Lambda is no part of a constraint"),
    ("x if x > 1 else v", "is not there. Write when"),
    ("x < 1; v", "no expression"),
    ("col('rewards') < 1", "no column 'rewards'"),
    ("observation[9] < 1", "observation[9] is not there: there are"),
    ("observation[-1] < 1", "names no element of a column"),
    ("observation.x < 1", "not one value. Write observation[0]"),
    ("x[0] < 1", "x[0] is no element of a column"),
    ("agent_id < 1", "does not fit the columns"),
    ("x < " + "(" * 60 + "1" + ")" * 60 + " + 1" * 60, "nested more than 50 deep"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_names_its_constraint(text: str, said: str) -> None:
    with pytest.raises(SuiteError, match="Constraint 'mine' on 'vectors': ") as caught:
        apply_constraints(_walk(0.0), {"mine": text}, VECTORS, names=NAMES)
    assert said in str(caught.value)


@pytest.mark.parametrize("place", ["", "observation[", "observation[0][1]", "a b"])
def test_a_name_is_given_to_an_element(place: str) -> None:
    with pytest.raises(SuiteError, match="names no element of a column"):
        apply_constraints(_walk(0.0), {"mine": "x < 1"}, VECTORS, names={"x": place})


def test_a_finding_says_what_fails() -> None:
    found = apply_constraints(
        _walk(0.0, 1.0, 5.0, 6.0),
        {"speed": "abs(x - previous_x) < 2", "time": "step >= 0"},
        VECTORS,
        names=NAMES,
    )
    (finding,) = found
    assert (finding.audit, finding.check, finding.column) == ("constraints", "speed", "observation[0]")
    assert (finding.count, finding.total, finding.severity) == (1, 3, "critical")
    assert finding.examples[0]["step"] == 2 and finding.examples[0]["observation[0]"] == 5.0
    assert finding.message == "1 of 3 rows do not satisfy abs(x - previous_x) < 2."


def test_no_rows_break_no_constraint() -> None:
    assert apply_constraints(steps_of(VECTORS, []), {"speed": "abs(x - previous_x) < 2"}, names=NAMES) == []


def test_the_motion_of_cartpole() -> None:
    """Clean steps obey it, and a unit that changed for one episode does not."""
    rows = rollout("CartPole-v1", 5, 1500)
    motion = {"motion": "abs(x - previous_x - 0.02 * previous_v) < 1e-5"}
    assert apply_constraints(rows, motion, spec_of("CartPole-v1"), names=NAMES) == []
    frame = pl.DataFrame(rows)
    seen = frame["observation"].to_list()
    chosen = np.asarray(frame["episode_id"] == frame["episode_id"][0])
    changed = [[100 * s[0], *s[1:]] if c else s for s, c in zip(seen, chosen, strict=True)]
    broken = frame.with_columns(pl.Series("observation", changed, dtype=frame.schema["observation"]))
    (finding,) = apply_constraints(broken, motion, names=NAMES)
    assert finding.count > 0.9 * chosen.sum() - 1
    assert {example["episode_id"] for example in finding.examples} == {frame["episode_id"][0]}
