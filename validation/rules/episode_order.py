"""Rules over whole episodes: order, time, chains, constraints. A gate cannot judge by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from schemas.episodes import EPISODE_KEY
from validation.columns import Columns
from validation.constraint import linked, parse_constraint, spread
from validation.neighbours import Ordered, order_steps, unequal
from validation.rules.elements import Bounds
from validation.rules.jumps import JumpArguments, far_rows
from validation.rules.rule import Kind, Rule, RuleArguments
from validation.rules.vectors import field_of, judge_blocks, vector_of
from validation.wording import show

_Judge = Callable[[pl.DataFrame, Ordered], pl.Series]


class ConsecutiveArguments(RuleArguments):
    """Hold the kwargs of steps_to_be_consecutive."""

    first: Annotated[int, Field(ge=0)] | None = 0  # the step that episodes begin with; null for any


class TimeArguments(RuleArguments):
    """Hold the kwargs of event_time_to_increase_within_episode."""

    strictly: bool = False


class ConstraintArguments(RuleArguments):
    """Hold the kwargs of sequence_to_satisfy."""

    expression: str
    names: dict[str, str] | None = None  # of elements, such as {"x": "observation[0]"}


def _consecutive(arguments: ConsecutiveArguments, columns: Columns) -> Rule:
    first = arguments.first

    def judge(frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        right = np.zeros(len(ordered.rows), np.bool_)
        right[1:] = ordered.follows[:-1]
        begins = np.ones(len(right), np.bool_)
        begins[1:] = ~ordered.stays[:-1]
        right[begins] = True if first is None else ordered.steps[begins] == first
        return spread(pl.Series(right), ordered, frame.height).scatter(ordered.again, False)

    wrong = "its step is not the one after that of the row before it in the episode"
    return _rule("consecutive(step)", "step", ("step",), judge, wrong, columns)


def _time(arguments: TimeArguments, columns: Columns) -> Rule:
    def judge(frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        times = frame["event_time"][ordered.rows]
        before = times.shift(1)
        held = times > before if arguments.strictly else times >= before
        stays = pl.Series(ordered.stays, dtype=pl.Boolean).shift(1, fill_value=False)
        judged = pl.select(pl.when(stays).then(held)).to_series()
        return spread(judged, ordered, frame.height)

    wrong = "it happened before the step before it" + (", or with it" if arguments.strictly else "")
    return _rule("increasing(event_time)", "event_time", ("event_time",), judge, wrong, columns)


def _next_matches(_: RuleArguments, columns: Columns) -> Rule:
    def judge(frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        held = frame["next_observation"][ordered.rows]
        links = linked(frame, ordered) & held.is_not_null().to_numpy()
        after = frame["observation"][ordered.rows].shift(-1)
        right = pl.repeat(None, len(held), dtype=pl.Boolean, eager=True)
        right = right.scatter(np.flatnonzero(links), ~unequal(held.filter(links), after.filter(links)))
        return spread(right, ordered, frame.height)

    needed = ("observation", "next_observation", "terminated", "truncated")
    wrong = "next_observation is not the observation of the step after"
    return _rule(
        "matches(next_observation)", "next_observation", ("next_observation",), judge, wrong, columns, needed
    )


def _ends_last(_: RuleArguments, columns: Columns) -> Rule:
    def judge(frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        one = frame[ordered.rows]
        return spread(
            ~((one["terminated"] | one["truncated"]) & pl.Series(ordered.stays, dtype=pl.Boolean)),
            ordered,
            frame.height,
        )

    ends = ("terminated", "truncated")
    return _rule("last(end)", "terminated", ends, judge, "the episode goes on after this end", columns)


def _sequence_jump(arguments: JumpArguments, columns: Columns) -> Rule:
    vector = vector_of(arguments.column, arguments.field, columns)
    judged = Bounds(*arguments.bounds(vector))

    def judge(frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        links = np.flatnonzero(linked(frame, ordered))
        held = field_of(frame.select(vector.column).to_arrow(), vector)
        now, then = (held.take(pa.array(ordered.rows[at])) for at in (links, links + 1))
        within = judge_blocks(lambda first, second: far_rows(judged, first, second), now, then)
        right = pl.repeat(None, frame.height, dtype=pl.Boolean, eager=True)
        return right.scatter(ordered.rows[links + 1], pl.Series(within)) if len(links) else right

    wrong = f"{vector.name} is too far from, or too near to, what it was the step before"
    ends = [name for name in ("terminated", "truncated") if name in columns.schema.names]
    code, needed = f"sequence_jump({vector.name})", (vector.column, *ends)
    return _rule(code, vector.column, (vector.column,), judge, wrong, columns, needed)


def _satisfies(arguments: ConstraintArguments, columns: Columns) -> Rule:
    constraint = parse_constraint(arguments.expression, columns, arguments.names)
    ends = [name for name in ("terminated", "truncated") if name in columns.schema.names]
    about = tuple(dict.fromkeys(place.column for place in constraint.places))
    reads = about or constraint.needs
    code = f"sequence({show(arguments.expression)})"
    wrong = f"{show(arguments.expression)} does not hold"
    column = about[0] if len(about) == 1 else None
    needed = (*constraint.needs, *ends)
    return _rule(code, column, reads, constraint.judge, wrong, columns, needed)


def _rule(
    code: str,
    column: str | None,
    reads: tuple[str, ...],
    judge: _Judge,
    wrong: str,
    columns: Columns,
    needed: tuple[str, ...] = (),
) -> Rule:
    """Make a rule of what judges rows in the order of their episodes; the table needs its key."""
    keys = [*EPISODE_KEY[:-1], "event_id", "event_time"]
    used = ["episode_id", "step", *(name for name in keys if name in columns.schema.names), *reads, *needed]
    for name in used:
        columns.type_of(name)

    def judged(rows: pl.Series) -> pl.Series:
        frame = rows.struct.unnest()
        return judge(frame, order_steps(frame))

    def says(rows: pa.Table) -> list[str]:
        return [wrong] * len(rows)

    expression = pl.struct(list(dict.fromkeys(used))).map_batches(judged, return_dtype=pl.Boolean)
    return Rule(code, column, expression, reads, says, per_row=False)


ORDER_KINDS = (
    Kind("expect_steps_to_be_consecutive", ConsecutiveArguments, _consecutive),
    Kind("expect_event_time_to_increase_within_episode", TimeArguments, _time),
    Kind("expect_next_observation_to_match", RuleArguments, _next_matches),
    Kind("expect_ends_to_be_last", RuleArguments, _ends_last),
    Kind("expect_sequence_jump_to_be_between", JumpArguments, _sequence_jump),
    Kind("expect_sequence_to_satisfy", ConstraintArguments, _satisfies),
)
