"""Rules on how far an observation goes in one step: not too far, and not nowhere."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.elements import BoundArguments, Bounds, first_outside
from validation.rules.rule import Kind, Mask, Rule, RuleArguments
from validation.rules.vectors import (
    Held,
    Numbers,
    Vector,
    field_of,
    held_expression,
    judge_blocks,
    read,
    vector_of,
)


class JumpArguments(BoundArguments):
    """Hold the kwargs of jump_to_be_between: bounds of the distance that each element goes."""

    column: str = "observation"  # beside it has to be the same column with next_ before its name


class ChangeArguments(RuleArguments):
    """Hold the kwargs of to_change."""

    column: str = "observation"
    field: str | None = None
    elements: list[Annotated[int, Field(ge=0)]] | None = (
        None  # one of these has to change; all of them where it is null
    )


def jumps(now: Held, then: Held) -> list[tuple[Any, Numbers]]:
    """Give the distances of rows, with the rows, for each length that vectors have on both sides."""
    alike = now.valid & then.valid & (now.lengths == then.lengths)
    found = []
    for size in np.unique(now.lengths[alike]).tolist():
        rows = alike & (now.lengths == size)
        first, second = _chosen(now, rows, size), _chosen(then, rows, size)
        with np.errstate(invalid="ignore", over="ignore"):  # of infinities: no distance
            found.append((np.flatnonzero(rows), np.abs(second - first)))
    return found


def far_rows(judged: Bounds, now: Held, then: Held) -> Numbers:
    """Say which rows go a distance within the bounds. What has no distance is not judged here."""
    within = np.ones(len(now.valid), np.bool_)
    for rows, distances in jumps(now, then):
        if judged.size in (1, distances.shape[1]):
            wrong = judged.outside(distances).ravel()
            if wrong.any():
                within[rows[np.flatnonzero(wrong) // distances.shape[1]]] = False
    return within


def say_jump(vector: Vector, judged: Bounds, now: Held, then: Held) -> str:
    """Say which element went how far, of a single row."""
    for _, distances in jumps(now, then):
        place = first_outside(judged, distances[0])
        if place is not None:
            went = f"from {now.numbers[place]!s} to {then.numbers[place]!s}"
            return f"{vector.name}[{place}] goes {went}, by {distances[0][place]!s}, {judged.told(place)}"
    return f"{vector.name} goes too far or not far enough"


def _jump(arguments: JumpArguments, columns: Columns) -> Rule:
    now, then = _both(arguments.column, arguments.field, columns)
    judged = Bounds(*arguments.bounds(now))

    def judge(rows: pa.Table) -> Any:
        def within(first: Held, second: Held) -> Numbers:
            return far_rows(judged, first, second)

        return judge_blocks(within, field_of(rows, now), field_of(rows, then))

    def says(rows: pa.Table) -> list[str]:
        pairs = zip(field_of(rows, now), field_of(rows, then), strict=True)
        return [say_jump(now, judged, _one(first), _one(second)) for first, second in pairs]

    mask = Mask(f"jump({now.name}, {judged})", judge)
    return Rule(
        f"jump({now.name})",
        then.column,
        pl.when(_known(now, then)).then(mask.expression),
        (now.column, then.column),
        says,
        (mask,),
    )


def _change(arguments: ChangeArguments, columns: Columns) -> Rule:
    now, then = _both(arguments.column, arguments.field, columns)
    chosen = arguments.elements
    for place in chosen or ():
        if now.size is not None and place >= now.size:
            raise SuiteError(f"{now.name} has no element {place}.", hint=f"Its last is {now.size - 1}.")

    def judge(rows: pa.Table) -> Any:
        def changes(first: Held, second: Held) -> Numbers:
            changed = np.ones(len(first.valid), np.bool_)
            for held, distances in jumps(first, second):
                moved = (
                    distances
                    if chosen is None
                    else distances[:, [c for c in chosen if c < distances.shape[1]]]
                )
                changed[held] = (moved != 0).any(1)  # NaN is no 0: what has no distance is not the same
            return changed

        return judge_blocks(changes, field_of(rows, now), field_of(rows, then))

    def says(rows: pa.Table) -> list[str]:
        what = now.name if chosen is None else ", ".join(f"{now.name}[{place}]" for place in chosen)
        return [f"{what} stays as it is"] * len(rows)

    mask = Mask(f"change({now.name}, {chosen})", judge)
    return Rule(
        f"change({now.name})",
        then.column,
        pl.when(_known(now, then)).then(mask.expression),
        (now.column, then.column),
        says,
        (mask,),
    )


def _both(column: str, field: str | None, columns: Columns) -> tuple[Vector, Vector]:
    now = vector_of(column, field, columns)
    return now, vector_of(f"next_{column}", field, columns)


def _known(now: Vector, then: Vector) -> pl.Expr:
    return held_expression(now).is_not_null() & held_expression(then).is_not_null()


def _one(value: Any) -> Held:
    return read(pa.array([value], value.type))


def _chosen(held: Held, rows: Any, size: int) -> Numbers:
    """Give the vectors of rows of one length as a matrix whose differences are numbers of its own dtype."""
    numbers = held.numbers
    if numbers.dtype.kind != "f":
        numbers = numbers.astype(np.float64 if numbers.dtype == np.int64 else np.int64)
    if rows.all() and len(numbers) == size * len(rows):
        return numbers.reshape(len(rows), size)
    chosen: Numbers = numbers[held.offsets[:-1][rows][:, None] + np.arange(size)]
    return chosen


JUMP_KINDS = (
    Kind("expect_observation_jump_to_be_between", JumpArguments, _jump),
    Kind("expect_observation_to_change", ChangeArguments, _change),
)
