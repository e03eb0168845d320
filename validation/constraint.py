"""Constraints: what has to hold between a step and its neighbours, as text: `abs(x - previous_x) < 0.1`.

The words are those of `schemas/expressions.py`, and nothing is run. Besides, a name may stand alone: a
column, or one that the caller gives to an element (`x` for `observation[0]`). In front of either, `previous_`
and `following_` mean the neighbouring step of the episode, and `next_` the same element of
`next_observation`. `abs(x)` is `x.abs()`; `and`, `or`, `not` and `a < b < c` are as in Python.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError, UsageError
from schemas.expressions import Expression
from schemas.membership import vector_size
from schemas.shown import shown
from schemas.spaces import Box, Dict, MultiBinary, MultiDiscrete, Tuple
from validation.columns import ColumnError, Columns, did_you_mean
from validation.constraint_words import NEIGHBOURS, Rewriter
from validation.neighbours import Ordered
from validation.places import Place


@dataclass(frozen=True, slots=True)
class Constraint:
    """Hold a constraint: an expression over columns, some of them of a neighbouring step."""

    text: str
    value: pl.Expr
    needs: tuple[str, ...]  # the columns that it reads, of this step or a neighbour
    places: tuple[Place, ...]  # what it is about, in the order of its text
    around: tuple[str, ...]  # of these columns it reads a neighbour's, named as `NEIGHBOURS` says

    def judge(self, frame: pl.DataFrame, ordered: Ordered) -> pl.Series:
        """Say of each row whether it holds; null where something is not known, as at an episode's ends.

        What looks around is null, too, for rows that are not in the order: without an episode or a step,
        or the second of a step.
        """
        rows = frame.select(
            pl.col(name).fill_nan(None) if frame.schema[name].is_float() else pl.col(name)
            for name in self.needs
        )
        if not self.around:
            return rows.select(self.value).to_series()
        one = rows[ordered.rows]
        onward = pl.Series(linked(frame, ordered), dtype=pl.Boolean)
        links = {"previous": (1, onward.shift(1, fill_value=False)), "following": (-1, onward)}
        shifted = []
        for name in self.around:
            neighbour, own = _split(name)
            by, held = links[neighbour]
            shifted.append(pl.when(held).then(pl.col(own).shift(by)).alias(name))
        judged = one.with_columns(shifted).select(self.value).to_series()
        return spread(judged, ordered, frame.height)


def parse_constraint(text: str, columns: Columns, names: Mapping[str, str] | None = None) -> Constraint:
    """Read a constraint on tables of these columns; raise SuiteError, with ColumnError for a column."""
    schema = columns.schema
    rewriter = Rewriter({name: Place.parse(place) for name, place in (names or {}).items()}, schema)
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval")
        expression = Expression.parse(ast.unparse(ast.fix_missing_locations(rewriter.visit(tree))))
    except SyntaxError as exc:
        hint = "Write it as abs(x - previous_x) < 0.1."
        raise SuiteError(f"{shown(text)} is no expression: {exc.msg}.", hint=hint) from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise SuiteError(f"{shown(text)} does not read as an expression.", hint="Make it simpler.") from exc
    except SuiteError:
        raise
    except UsageError as exc:
        raise SuiteError(exc.message, hint=exc.hint) from exc
    fields = {name: _split(name)[1] for name in expression.fields}
    if not fields:
        raise SuiteError(f"{shown(text)} reads no column.", hint="Write it as abs(x - previous_x) < 0.1.")
    _check(text, expression, fields, schema)
    for place in rewriter.places:
        _check_element(place, columns)
    return Constraint(
        text,
        expression.value,
        tuple(dict.fromkeys(fields.values())),
        tuple(dict.fromkeys(rewriter.places)),
        tuple(name for name, own in fields.items() if name != own),
    )


def linked(frame: pl.DataFrame, ordered: Ordered) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Say which steps go on in the next of the order: the very next turn, and no end between."""
    ends = [name for name in ("terminated", "truncated") if name in frame.columns]
    if not ends or not len(ordered.rows):
        return ordered.follows
    ended = frame.select(pl.any_horizontal(pl.col(ends).fill_null(False))).to_series().to_numpy()
    linked: np.ndarray[tuple[int], np.dtype[np.bool_]] = ordered.follows & ~ended[ordered.rows]
    return linked


def spread(judged: pl.Series, ordered: Ordered, height: int) -> pl.Series:
    """Give values in the order to the rows that they are of; other rows get null."""
    whole = pl.repeat(None, height, dtype=judged.dtype, eager=True)
    return whole.scatter(ordered.rows, judged) if len(ordered.rows) else whole


def _split(name: str) -> tuple[str, str]:
    """Split a name into the neighbour that it is about, or nothing, and the column."""
    for neighbour, prefix in NEIGHBOURS.items():
        if name.startswith(prefix):
            return neighbour, name.removeprefix(prefix)
    return "", name


def _check_element(place: Place, columns: Columns) -> None:
    """Refuse an element that no vector of the archive has: it would never be judged."""
    if columns.spec is None or place.element is None:
        return
    space = columns.space_of(place.column)
    for name in place.fields:
        space = space.fields.get(name) if isinstance(space, Dict | Tuple) else None
    if isinstance(space, Box | MultiDiscrete | MultiBinary) and place.element >= vector_size(space):
        raise ColumnError(
            f"{place} is not there: there are {vector_size(space)} elements.", hint="They count from 0."
        )


def _check(text: str, expression: Expression, fields: Mapping[str, str], schema: pa.Schema) -> None:
    for own in fields.values():
        if own not in schema.names:
            raise ColumnError(f"There is no column {own!r}.", hint=did_you_mean(own, schema.names))
    empty = pl.DataFrame(
        pa.schema([schema.field(own) for own in dict.fromkeys(fields.values())]).empty_table()
    )
    try:
        around = empty.select(pl.col(own).alias(name) for name, own in fields.items())
        judged = around.select(expression.value).to_series()
    except pl.exceptions.PolarsError as exc:
        said = str(exc).partition("\n")[0].rstrip(".")
        raise ColumnError(
            f"{shown(text)} does not fit the columns: {said}.", hint="See their types."
        ) from exc
    if judged.dtype != pl.Boolean:
        raise SuiteError(
            f"{shown(text)} is {judged.dtype}, not true or false.", hint="Compare it: ... < 0.1."
        )
