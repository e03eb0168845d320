"""Row conditions: which rows an expectation is about, in the forms that Great Expectations writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.errors import SuiteError
from validation.columns import Columns


@dataclass(frozen=True, slots=True)
class Condition:
    """Choose rows by an expression; equal texts choose alike."""

    text: str
    expression: pl.Expr  # True for the rows chosen; null chooses none


def read_condition(kwargs: Mapping[str, Any], columns: Columns) -> Condition | None:
    """Read `row_condition` and `condition_parser` out of an expectation's kwargs; None without them."""
    if kwargs.get("row_condition") is None:
        return None
    raise SuiteError("row conditions are not read yet.")
