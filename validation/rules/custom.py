"""Rules by an expression in the suite itself, such as `col("speed").abs() < 3`."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError, UsageError
from schemas.expressions import Expression
from validation.columns import ColumnError, Columns
from validation.rules.rule import Kind, Rule, RuleArguments
from validation.rules.values import row_saying
from validation.wording import show


class ExpressionArguments(RuleArguments):
    """Hold the kwargs of expression_to_be_true."""

    expression: str
    column: str | None = None  # what the rule is about, for reports


def _expression(arguments: ExpressionArguments, columns: Columns) -> Rule:
    """Ask for true. Null is not judged; a value that a cast could not read is a failure."""
    text = arguments.expression
    try:
        parsed = Expression.parse(text)
    except UsageError as exc:
        raise SuiteError(exc.message, hint=exc.hint) from exc
    for column in (*parsed.fields, *filter(None, [arguments.column])):
        columns.type_of(column)
    if not parsed.fields:
        raise SuiteError(f"the expression {show(text)} reads no column.", hint='Name one by col("...").')
    _check_type(parsed, columns)
    expression = parsed.value
    if parsed.failed is not None:
        expression = pl.when(parsed.failed.fill_null(False)).then(False).otherwise(expression)
    says = row_saying(parsed.fields, f"{show(text)} is not true")
    return Rule(f"expression({text})", arguments.column, expression, parsed.fields, says)


def _check_type(parsed: Expression, columns: Columns) -> None:
    fields = [columns.schema.field(name) for name in parsed.fields]
    tried = {field.name: pl.Series(pa.nulls(1, field.type)) for field in fields}
    try:
        type_ = pl.DataFrame(tried).select(parsed.value.alias("judged"))["judged"].dtype
    except pl.exceptions.PolarsError as exc:
        first = str(exc).partition("\n")[0].rstrip(".")
        raise ColumnError(f"{show(parsed.text)} does not fit its columns: {first}.") from exc
    if type_ != pl.Boolean:
        raise ColumnError(
            f"{show(parsed.text)} is {type_}, not true or false.", hint="Compare it with something."
        )


CUSTOM_KINDS = (Kind("expect_expression_to_be_true", ExpressionArguments, _expression),)
