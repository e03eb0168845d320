"""Rules on texts that stand for something else: times in a format of `strftime`, and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_text
from validation.json_values import kind_of
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule
from validation.rules.values import present, saying
from validation.wording import show

# Texts that `strptime` surely reads: of two digits each, and of no day that a month may lack.
_SURE = {
    "Y": "[1-9][0-9]{3}",
    "y": "[0-9]{2}",
    "m": "(?:0[1-9]|1[0-2])",
    "d": "(?:0[1-9]|1[0-9]|2[0-8])",
    "H": "(?:[01][0-9]|2[0-3])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "%": "%",
}
_SURE_LAST = {"f": "[0-9]{1,6}", "z": "(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"}  # of no fixed length


class StrftimeArguments(ColumnArguments):
    """Hold the kwargs of match_strftime_format."""

    strftime_format: str


def _strftime(arguments: StrftimeArguments, columns: Columns) -> Rule:
    column, format_, type_ = arguments.column, arguments.strftime_format, columns.type_of(arguments.column)
    try:
        now = datetime.now(UTC)
        datetime.strptime(now.strftime(format_), format_)
    except (ValueError, re.error) as exc:
        raise SuiteError(
            f"strftime_format {show(format_)} cannot be read: {exc}.", hint="Write it as %Y-%m-%d."
        ) from exc
    if not is_text(type_):
        raise ColumnError(
            f"{column} is {kind_of(type_)}; only texts have a format.",
            hint="For times there is expect_column_values_to_be_between.",
            column=column,
        )

    def reads(text: str) -> bool:
        try:
            datetime.strptime(text, format_)
        except ValueError:
            return False
        return True

    return _rule("strftime", column, columns, reads, f"not as {show(format_)}", _surely(format_))


def _json(arguments: ColumnArguments, columns: Columns) -> Rule:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    if not is_text(type_):
        nothing = pl.when(pl.col(column).is_not_null()).then(False)
        return Rule(f"json({column})", column, nothing, (column,), saying(column, "not JSON"))
    return _rule("json", column, columns, _is_json, "not JSON", None)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _rule(
    code: str, column: str, columns: Columns, reads: Callable[[str], bool], wrong: str, surely: str | None
) -> Rule:
    def judge(rows: pa.Table) -> Any:
        texts = pl.Series(rows[column])
        good = pl.repeat(False, len(texts), eager=True) if surely is None else texts.str.contains(surely)
        unsure = texts.filter(~good).unique().drop_nulls()
        if len(unsure):
            read = pl.Series([text for text in unsure if reads(text)], dtype=pl.String)
            good |= texts.is_in(read.implode())
        return np.asarray(good.fill_null(False))

    here, mask = present(column, columns), Mask(f"({column}) {wrong}", judge)
    expression = pl.when(here.expression).then(mask.expression)
    return Rule(f"{code}({column})", column, expression, (column,), saying(column, wrong), (here, mask))


def _surely(format_: str) -> str | None:
    """Return a pattern of texts that have the format for sure; None where it takes `strptime` itself."""
    written, place = [], 0
    while place < len(format_):
        character = format_[place]
        place += 1
        if character != "%":
            written.append(rf"\x{{{ord(character):x}}}")
            continue
        word = format_[place : place + 1]
        place += 1
        last = _SURE_LAST.get(word) if place == len(format_) else None
        sure = _SURE.get(word, last)
        if sure is None:
            return None
        written.append(sure)
    return rf"\A{''.join(written)}\z"


FORMAT_KINDS = (
    Kind("expect_column_values_to_match_strftime_format", StrftimeArguments, _strftime),
    Kind("expect_column_values_to_be_json_parseable", ColumnArguments, _json),
)
