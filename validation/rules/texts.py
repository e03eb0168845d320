"""Rules on texts: patterns and lengths, also of numbers and booleans as Python writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_text
from validation.json_values import kind_of
from validation.rules.comparisons import check_bounds, within
from validation.rules.patterns import translate
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule
from validation.rules.values import present, saying
from validation.wording import show

_Judge = Callable[[pl.Expr], pl.Expr]


class RegexArguments(ColumnArguments):
    """Hold the kwargs of match_regex."""

    regex: str = "(?s).*"


class NoRegexArguments(ColumnArguments):
    """Hold the kwargs of not_match_regex."""

    regex: str


class RegexListArguments(ColumnArguments):
    """Hold the kwargs of match_regex_list."""

    regex_list: list[str]
    match_on: Literal["any", "all"] = "any"


class NoRegexListArguments(ColumnArguments):
    """Hold the kwargs of not_match_regex_list."""

    regex_list: list[str]


class LengthsArguments(ColumnArguments):
    """Hold the kwargs of lengths_to_be_between."""

    min_value: float | None = None
    max_value: float | None = None
    strict_min: bool = False
    strict_max: bool = False


class LengthArguments(ColumnArguments):
    """Hold the kwargs of lengths_to_equal."""

    value: float


def _match(arguments: RegexArguments, columns: Columns) -> Rule:
    regex = arguments.regex
    contains = _contains([regex], any_of=True)
    return _rule("regex", arguments.column, columns, contains, f"which {show(regex)} does not match")


def _no_match(arguments: NoRegexArguments, columns: Columns) -> Rule:
    regex = arguments.regex
    contains = _contains([regex], any_of=True)
    return _rule("not_regex", arguments.column, columns, _not(contains), f"which {show(regex)} matches")


def _match_list(arguments: RegexListArguments, columns: Columns) -> Rule:
    any_of = arguments.match_on == "any"
    contains = _contains(arguments.regex_list, any_of=any_of)
    wrong = f"which {'none' if any_of else 'not every one'} of {show(arguments.regex_list)} matches"
    return _rule("regex_list", arguments.column, columns, contains, wrong)


def _no_match_list(arguments: NoRegexListArguments, columns: Columns) -> Rule:
    contains = _contains(arguments.regex_list, any_of=True)
    wrong = f"which one of {show(arguments.regex_list)} matches"
    return _rule("not_regex_list", arguments.column, columns, _not(contains), wrong)


def _lengths(arguments: LengthsArguments, columns: Columns) -> Rule:
    low, high = arguments.min_value, arguments.max_value
    check_bounds(low, high)
    strict = {"strict_min": arguments.strict_min, "strict_max": arguments.strict_max}
    asked = within(pl.lit(0), low, high, **strict)[1]

    def judge(texts: pl.Expr) -> pl.Expr:
        return within(texts.str.len_chars(), low, high, **strict)[0]

    return _rule("lengths", arguments.column, columns, judge, f"whose length is not {asked}")


def _length(arguments: LengthArguments, columns: Columns) -> Rule:
    value = arguments.value

    def judge(texts: pl.Expr) -> pl.Expr:
        return texts.str.len_chars() == value

    return _rule("length", arguments.column, columns, judge, f"whose length is not {value:g}")


def _contains(regexes: list[str], *, any_of: bool) -> _Judge:
    if not regexes:
        raise SuiteError("regex_list is empty.", hint="Give at least one regex.")
    patterns = [translate(regex) for regex in regexes]

    def judge(texts: pl.Expr) -> pl.Expr:
        found = [texts.str.contains(pattern) for pattern in patterns]
        return pl.any_horizontal(found) if any_of else pl.all_horizontal(found)

    return judge


def _not(judge: _Judge) -> _Judge:
    return lambda texts: ~judge(texts)


def _rule(code: str, column: str, columns: Columns, judge: _Judge, wrong: str) -> Rule:
    type_, says = columns.type_of(column), saying(column, wrong)
    name, values = f"{code}({column})", pl.col(column)
    if pa.types.is_floating(type_):
        here, mask = present(column, columns), _mask_of_floats(column, judge, wrong)
        expression = pl.when(here.expression).then(mask.expression)
        return Rule(name, column, expression, (column,), says, (here, mask))
    if is_text(type_):
        texts = values
    elif pa.types.is_integer(type_) or pa.types.is_date(type_):
        texts = values.cast(pl.String)
    elif pa.types.is_boolean(type_):
        texts = values.cast(pl.String).str.to_titlecase()  # True, as Python writes it
    else:
        raise ColumnError(
            f"{column} is {kind_of(type_)}, which has no text.",
            hint="Only texts, numbers, booleans and dates have one here.",
            column=column,
        )
    return Rule(name, column, judge(texts), (column,), says)


def _mask_of_floats(column: str, judge: _Judge, wrong: str) -> Mask:
    """Judge floats as Python writes them, which Polars does otherwise: 1e+300, 1e-05."""

    def judge_rows(rows: pa.Table) -> Any:
        held = rows[column].to_numpy()
        bits, places = np.unique(held.view(f"i{held.itemsize}"), return_inverse=True)  # 0.0 is not -0.0 here
        values = bits.view(held.dtype)
        texts = pl.Series("texts", [str(value) for value in values], dtype=pl.String)
        return texts.to_frame().select(judge(pl.col("texts"))).to_series().to_numpy()[places]

    return Mask(f"({column}) {wrong}", judge_rows)


TEXT_KINDS = (
    Kind("expect_column_values_to_match_regex", RegexArguments, _match),
    Kind("expect_column_values_to_not_match_regex", NoRegexArguments, _no_match),
    Kind("expect_column_values_to_match_regex_list", RegexListArguments, _match_list),
    Kind("expect_column_values_to_not_match_regex_list", NoRegexListArguments, _no_match_list),
    Kind("expect_column_value_lengths_to_be_between", LengthsArguments, _lengths),
    Kind("expect_column_value_lengths_to_equal", LengthArguments, _length),
)
