"""Row conditions as texts: those of pandas' `DataFrame.query`, and those with `col("...")`.

A text is parsed by Python's own grammar and never run. As pandas reads it, `&` and `|` bind as loosely as
`and` and `or`, and a name in backticks may be any column's.
"""

from __future__ import annotations

import ast
import io
import operator
import tokenize
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import polars as pl

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.condition_terms import Term, compare, holds_one_of, is_missing, truth
from validation.wording import show

_LONGEST = 4000  # characters
_DEEPEST = 50
_HINT = 'Write it as a > 5 and `my column` in ["x", "y"], or as col("a") > 5.'
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], pl.Expr]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_NULLITY = {"isnull": True, "isna": True, "is_null": True}
_NULLITY |= {"notnull": False, "notna": False, "is_not_null": False}


def read_text(text: str, columns: Columns) -> pl.Expr:
    """Return the expression of a condition; raise SuiteError for what is none, or not allowed."""
    if len(text) > _LONGEST:
        raise SuiteError(f"row_condition has {len(text)} characters; {_LONGEST} are allowed.")
    try:
        prepared, names = _prepare(" ".join(text.strip().splitlines()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(prepared, mode="eval").body
        return _Reader(text, names, columns).condition(tree, 0)
    except (SyntaxError, tokenize.TokenError, RecursionError, ValueError, MemoryError) as exc:
        raise SuiteError(f"row_condition {show(text)} does not read as a condition.", hint=_HINT) from exc


def _prepare(text: str) -> tuple[str, dict[str, str]]:
    """Put names for what stands in backticks, and `and` and `or` for `&` and `|`."""
    pieces: list[str] = []
    names: dict[str, str] = {}
    quote = ""
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            if character == "\\":
                pieces.append(text[place : place + 2])
                place += 2
                continue
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "`":
            end = text.find("`", place + 1)
            if end < 0:
                raise ValueError("a backtick is open")
            name = f"_column_{len(names)}_"
            names[name] = text[place + 1 : end]
            pieces.append(name)
            place = end + 1
            continue
        pieces.append(character)
        place += 1
    tokens = tokenize.generate_tokens(io.StringIO("".join(pieces)).readline)
    words = {"&": "and", "|": "or"}
    changed = [
        (tokenize.NAME, words[token.string])
        if token.type == tokenize.OP and token.string in words
        else (token.type, token.string)
        for token in tokens
    ]
    return tokenize.untokenize(changed).strip(), names


class _Reader:
    def __init__(self, text: str, names: Mapping[str, str], columns: Columns) -> None:
        self._text, self._names, self._columns = text, names, columns

    def condition(self, node: ast.expr, depth: int) -> pl.Expr:
        if depth > _DEEPEST:
            self._refuse("is nested too deep")
        match node:
            case ast.BoolOp():
                parts = [self.condition(value, depth + 1) for value in node.values]
                return pl.all_horizontal(parts) if isinstance(node.op, ast.And) else pl.any_horizontal(parts)
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                return ~self.condition(node.operand, depth + 1)
            case ast.Compare():
                return self._comparisons(node)
            case ast.Call(func=ast.Attribute(attr=word), args=[], keywords=[]) if word.lower() in _NULLITY:
                assert isinstance(node.func, ast.Attribute)  # noqa: S101 (matched above)
                missing = is_missing(self._term(node.func.value, 0), self._columns)
                return missing if _NULLITY[word.lower()] else ~missing
        return truth(self._term(node, 0))

    def _comparisons(self, node: ast.Compare) -> pl.Expr:
        sides = [node.left, *node.comparators]
        judged = [
            self._comparison(left, op, right)
            for left, op, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return judged[0] if len(judged) == 1 else pl.all_horizontal(judged)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> pl.Expr:
        if isinstance(op, ast.In | ast.NotIn) or (
            isinstance(op, ast.Eq | ast.NotEq) and isinstance(right, ast.List | ast.Tuple)
        ):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set):
                self._refuse("looks in what is no list")
            values = [self._constant(element) for element in right.elts]
            found = holds_one_of(self._term(left, 0), values, self._columns)
            return found if isinstance(op, ast.In | ast.Eq) else ~found
        name = _COMPARISONS.get(type(op))
        if name is None:
            self._refuse("has a comparison that is not there")
        return compare(name, self._term(left, 0), self._term(right, 0), self._columns)

    def _term(self, node: ast.expr, depth: int) -> Term:
        if depth > _DEEPEST:
            self._refuse("is nested too deep")
        match node:
            case ast.Name(id=name) if name not in ("True", "False", "None"):
                return Term.column(self._names.get(name, name), self._columns)
            case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
                return Term.column(name, self._columns)
            case ast.Call(func=ast.Name(id="date"), args=[ast.Constant(value=str(text))], keywords=[]):
                return Term.constant(text)
            case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
                sides = self._term(node.left, depth + 1), self._term(node.right, depth + 1)
                if not all(side.is_numeric for side in sides):
                    self._refuse("computes with what is no number")
                return Term.computed(_ARITHMETIC[type(op)](sides[0].number(), sides[1].number()))
            case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
                term = self._term(node.operand, depth + 1)
                if not term.is_numeric:
                    self._refuse("computes with what is no number")
                return Term.computed(-term.number())
        return Term.constant(self._constant(node))

    def _constant(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str()):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.Constant(value=None):
                self._refuse("compares with None; for null there is x.isnull()")
        self._refuse(f"has {show(ast.unparse(node))}, which is not allowed")

    def _refuse(self, what: str) -> NoReturn:
        raise SuiteError(f"row_condition {show(self._text)} {what}.", hint=_HINT)
