"""Expressions: a Polars expression written as text, such as `col("price").cast(Float64) * 0.01`.

The text is never run. It is parsed, and the expression is built here from a list of allowed words, so that
a mapping or a rule from anywhere can name fields and compute, and do nothing else. Every word is
elementwise: what a row gets depends on that row alone (see `schemas/expression_words.py`).
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

import polars as pl

from schemas.errors import UsageError
from schemas.expression_builder import Builder
from schemas.shown import shown

_LONGEST = 4000  # characters


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Hold an expression: its value for a row, and whether a part of the row could not be read for it.

    A strict cast would fail the whole batch for one row. Here it gives null, and `failed` is true for
    that row; it is None where nothing in the expression can fail so.
    """

    text: str
    value: pl.Expr
    failed: pl.Expr | None

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read an expression; raise UsageError with the place of what is not allowed, and names near it."""
        builder = Builder(_one_line(text))
        value = builder.build(_tree(text))
        return cls(text, value, pl.any_horizontal(builder.failed) if builder.failed else None)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads, sorted."""
        return fields_of(self.value)


def parse_expression(text: str) -> pl.Expr:
    """Return the expression that the text stands for; raise UsageError where it is none that is allowed.

    What a cast cannot read is null: `Expression.parse` gives, besides, an expression for where that was.
    """
    return Expression.parse(text).value


def fields_of(expression: pl.Expr) -> tuple[str, ...]:
    """Return the fields that an expression reads, sorted."""
    return tuple(sorted(set(expression.meta.root_names())))


def _tree(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise UsageError(
            f"The expression has {len(text)} characters; {_LONGEST} are allowed.", hint="Take it apart."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for "\d" in a pattern
            return ast.parse(_one_line(text), mode="eval").body
    except SyntaxError as exc:
        raise UsageError(
            f"At character {exc.offset or 1} of {shown(text)}: {exc.msg}.",
            hint='Write it as in Polars, such as col("a") + 1.',
        ) from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise UsageError(f"{shown(text)} does not read as an expression.", hint="Make it simpler.") from exc


def _one_line(text: str) -> str:
    return " ".join(text.strip().splitlines())
