"""Returns and advantages in SQL equal a slow reference, at every kind of end, gap and repeat."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lake import Lake
from schemas.errors import QueryError
from tests.lake.archives import append, make, row
from tests.lake.logs import logs


def _in_order(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("source", "agent_id", "episode_id", "step", "event_id")
    return sorted(log, key=lambda held: [(held[name] is not None, held[name] or 0) for name in names])


def _goes_on(rows: list[dict[str, Any]], place: int) -> bool:
    """Say whether the next row is the next turn of the same episode, which has not ended before."""
    if place + 1 == len(rows):
        return False
    this, after = rows[place], rows[place + 1]
    same = all(this[name] is not None and this[name] == after[name] for name in ("agent_id", "episode_id"))
    turn = this["step"] is not None and after["step"] == this["step"] + 1
    return (
        same and this["source"] == after["source"] and turn and not (this["terminated"] or this["truncated"])
    )


def _factor(held: dict[str, Any], gamma: float) -> float:
    return gamma * (1.0 if held["discount"] is None else held["discount"])


def returns(rows: list[dict[str, Any]], gamma: float) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    after: float | None = 0.0
    for place in reversed(range(len(rows))):
        held = rows[place]
        later = after if _goes_on(rows, place) else 0.0
        known = held["reward"] is not None and later is not None
        after = held["reward"] + _factor(held, gamma) * later if known else None  # type: ignore[operator]
        found[held["info"]] = after
    return found


def gae(rows: list[dict[str, Any]], gamma: float, lambda_: float) -> dict[str, float | None]:
    """The value of a row is half its observation; that of a next observation is not known."""
    found: dict[str, float | None] = {}
    after: float | None = None
    for place in reversed(range(len(rows))):
        held = rows[place]
        goes_on = _goes_on(rows, place)
        value = held["observation"][0] / 2
        if held["terminated"]:
            following: float | None = 0.0
        else:
            following = rows[place + 1]["observation"][0] / 2 if goes_on else None
        if held["reward"] is None or following is None:
            after = None
        else:
            error = held["reward"] + _factor(held, gamma) * following - value
            carried = after if goes_on and after is not None else 0.0
            after = error + _factor(held, gamma * lambda_) * carried
        found[held["info"]] = after
    return found


def n_step(rows: list[dict[str, Any]], n: int, gamma: float) -> dict[str, tuple[Any, ...]]:
    whole, given_next = [], []
    for place, held in enumerate(rows):
        followed = _goes_on([{**held, "terminated": False, "truncated": False}, *rows[place + 1 :]], 0)
        after = held["next_observation"] or (rows[place + 1]["observation"] if followed else None)
        given_next.append(after)
        open_end = held["next_observation"] is not None or (not held["truncated"] and followed)
        whole.append(held["reward"] is not None and (held["terminated"] or open_end))
    found = {}
    for place, held in enumerate(rows):
        if not whole[place]:
            continue
        total, weight, last = held["reward"], _factor(held, gamma), place
        steps = 1
        while steps < n and _goes_on(rows, last) and whole[last + 1]:
            last += 1
            total += weight * rows[last]["reward"]
            weight *= _factor(rows[last], gamma)
            steps += 1
        end = rows[last]["terminated"]
        found[held["info"]] = (total, steps, 0.0 if end else weight, given_next[last])
    return found


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    some=st.lists(logs(), min_size=5, max_size=5),
    gamma=st.sampled_from([0.0, 1e-3, 0.5, 0.99, 1.0]),
    lambda_=st.sampled_from([0.0, 0.9, 1.0]),
    n=st.integers(1, 4),
    discounts=st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0]), min_size=60, max_size=60),
)
def test_functions_equal_the_reference(
    some: list[list[dict[str, Any]]], gamma: float, lambda_: float, n: int, discounts: list[float | None]
) -> None:
    log = [{**held, "source": f"{held['source']}{one}"} for one, log in enumerate(some) for held in log]
    marked = [
        {**held, "info": f'"{number}"', "discount": discounts[number % 60]} for number, held in enumerate(log)
    ]
    rows = _in_order(marked)
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder))
        append(archive, *marked)
        asked = f"gamma := {gamma}"
        found = lake.sql(f"select info, discounted_return from demo.returns({asked})").rows()
        _assert_close(dict(found), returns(rows, gamma))

        query = (
            f"select info, advantage + observation[1] / 2 from demo.advantages(observation[1] / 2, {asked})"
        )
        _assert_close(dict(lake.sql(query).rows()), returns(rows, gamma))

        query = f"select info, advantage from demo.gae(observation[1] / 2, {asked}, lambda_ := {lambda_})"
        _assert_close(dict(lake.sql(query).rows()), gae(rows, gamma, lambda_))

        columns = "n_step_return, n_steps, bootstrap_discount, bootstrap_observation"
        steps = lake.sql(f"select info, {columns} from demo.n_step({n}, {asked})").rows()
        expected = n_step(rows, n, gamma)
        assert {held[0]: (held[2], held[4]) for held in steps} == {
            name: (held[1], held[3]) for name, held in expected.items()
        }
        _assert_close(
            {held[0]: held[1] for held in steps}, {name: held[0] for name, held in expected.items()}
        )
        _assert_close(
            {held[0]: held[3] for held in steps}, {name: held[2] for name, held in expected.items()}
        )


def _assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value is None:
            assert found[name] is None
        else:
            assert math.isclose(found[name], value, rel_tol=1e-9, abs_tol=1e-9), name


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, archive = make(tmp_path)
    append(archive, *(row(step, reward=1.0, terminated=step == 4999) for step in range(5000)))
    return lake


def test_a_long_episode_neither_vanishes_nor_grows(lake: Lake) -> None:
    query = "select discounted_return from demo.returns(gamma := $g) order by step"
    for gamma in (0.2, 0.9, 0.999, 1.0):
        found = [value for (value,) in lake.sql(query, {"g": gamma}).rows()]
        expected = 0.0
        for value in reversed(found):
            expected = 1.0 + gamma * expected
            assert math.isclose(value, expected, rel_tol=1e-9)


def test_a_truncated_end_takes_the_next_value(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0, reward=1.0), row(1, reward=1.0, truncated=True, next_observation=[4.0]))
    query = "select advantage, value_target from demo.gae(observation[1], next_value := next_observation[1], "
    found = lake.sql(query + "gamma := 0.5, lambda_ := 1) order by step").rows()
    assert found == [(pytest.approx(2.5), pytest.approx(2.5)), (2.0, 3.0)]
    ends = lake.sql("select return_ends, discounted_return from demo.returns() order by step").rows()
    assert ends == [("truncated", 2.0), ("truncated", 1.0)]


def test_a_filter_is_of_what_comes_out(lake: Lake) -> None:
    query = "select step, discounted_return from demo.returns() where step in (0, 4998) order by step"
    assert lake.sql(query).rows() == [(0, 5000.0), (4998, 2.0)]


def test_a_list_is_discounted(lake: Lake) -> None:
    query = "select discounted_return(list(reward order by step), 0.5) from demo.steps where step < 3"
    assert lake.sql(query).rows() == [(1.75,)]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("returns(gamma := 1.5)", "gamma must be from 0 to 1"),
        ("gae(1.0, lambda_ := -1)", "lambda_ must be from 0 to 1"),
        ("gae()", r"Say gae\(value, next_value := NULL, gamma := 0.99, lambda_ := 0.95\)"),
        ("n_step()", r"Say n_step\(n, gamma := 1.0\)"),
        ("n_step(0)", "^n is at least 1.$"),
        ("n_step(null)", "^n is at least 1.$"),
        ("retuns()", "no view 'demo.retuns'"),
    ],
)
def test_what_a_function_does_not_take(lake: Lake, call: str, says: str) -> None:
    with pytest.raises(QueryError, match="(?s)" + says):
        lake.sql(f"select * from demo.{call}").rows()
