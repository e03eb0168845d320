"""Physical constraints: what has to hold between a step and its neighbours, over whole episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from schemas.step import KEY_COLUMNS
from validation.audits.finding import Finding
from validation.columns import Columns
from validation.constraint import Constraint, parse_constraint
from validation.neighbours import order_steps, read_steps
from validation.places import Place

_EXAMPLES = 10


def apply_constraints(
    steps: pa.Table | pl.DataFrame,
    constraints: Mapping[str, str],
    spec: ArchiveSpec | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Say which constraints do not hold, by their names: one finding for each that some row fails.

    A constraint is an expression such as `abs(x - previous_x - 0.02 * previous_v) < 1e-4`, with `names` of
    elements as {"x": "observation[0]"}; see `validation/constraint.py`. Rows for which something in it is
    not known are not judged. The finding is about the first element that the constraint names. Raise
    SuiteError, with the constraint's name, for one that could not be; `spec` says of what.
    """
    frame = read_steps(steps, ("episode_id", "step"))
    columns = Columns(frame.head(0).to_arrow().schema, spec)
    ordered = order_steps(frame)
    found = []
    for name, text in constraints.items():
        constraint = _parse(name, text, columns, names)
        judged = constraint.judge(frame, ordered)
        finding = _finding(name, constraint, frame, judged)
        if finding is not None:
            found.append(finding)
    return found


def _parse(name: str, text: str, columns: Columns, names: Mapping[str, str] | None) -> Constraint:
    where = f"Constraint {name!r}" + (f" on {columns.spec.name!r}" if columns.spec else "")
    try:
        return parse_constraint(text, columns, names)
    except SuiteError as exc:
        raise type(exc)(f"{where}: {exc.message}", hint=exc.hint) from exc


def _finding(name: str, constraint: Constraint, frame: pl.DataFrame, judged: pl.Series) -> Finding | None:
    wrong = (~judged).fill_null(False)
    count, total = int(wrong.sum()), len(judged) - judged.null_count()
    if not count:
        return None
    about = constraint.places[0] if constraint.places else None
    return Finding(
        "constraints",
        name,
        None if about is None else str(about),
        "critical",
        f"{count:,} of {total:,} rows do not satisfy {constraint.text}.",
        count=count,
        total=total,
        value=count / total,
        threshold=0.0,
        examples=_examples(constraint, frame, wrong),
    )


def _examples(constraint: Constraint, frame: pl.DataFrame, wrong: pl.Series) -> list[dict[str, Any]]:
    keys = [name for name in KEY_COLUMNS if name in frame.columns]
    rows = frame[wrong.arg_true().head(_EXAMPLES)]
    values = [_value(place).alias(str(place)) for place in constraint.places if str(place) not in keys]
    return rows.select(*keys, *values).to_dicts()


def _value(place: Place) -> pl.Expr:
    held = pl.col(place.column)
    for name in place.fields:
        held = held.struct.field(name)
    return held if place.element is None else held.list.get(place.element, null_on_oob=True)
