"""From the tree of an expression's text to Polars' expression, word by word off the list of words."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, NoReturn

import polars as pl

from schemas.expression_literals import Literals, fits, near, word_of
from schemas.expression_words import (
    BINARY,
    COMPARISONS,
    FUNCTIONS,
    LENIENT,
    METHODS,
    NAMESPACES,
    SPECIAL_FUNCTIONS,
    STRICT,
    UNARY,
    Parameter,
    Signature,
    Takes,
)
from schemas.shown import shown

_DEEPEST = 50  # of nested calls and operators; a chain of methods counts each
_GROWTH = 10_000  # how many times longer replacements may make a text


class Builder:
    """Build one expression. `failed` gathers what says that a value could not be read."""

    def __init__(self, text: str) -> None:
        self._literals = Literals(text)
        self._depth = 0
        self._growth = 1
        self.failed: list[pl.Expr] = []

    def build(self, node: ast.expr) -> pl.Expr:
        """Return the expression of a tree; raise UsageError with the place of what is not allowed."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(node, f"it is nested more than {_DEEPEST} deep", "Take it apart.")
        try:
            return self._build(node)
        finally:
            self._depth -= 1

    def _build(self, node: ast.expr) -> pl.Expr:
        match node:
            case ast.Constant():
                return pl.lit(self._literals.constant(node))
            case ast.BinOp() if type(node.op) in BINARY:
                made: pl.Expr = BINARY[type(node.op)](self.build(node.left), self.build(node.right))
                return made
            case ast.UnaryOp() if type(node.op) in UNARY:
                return self._unary(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
            case _:
                self._refuse_node(node)

    def _unary(self, node: ast.UnaryOp) -> pl.Expr:
        if isinstance(node.operand, ast.Constant) and isinstance(node.op, ast.USub):
            return pl.lit(self._literals.constant(node))
        made: pl.Expr = UNARY[type(node.op)](self.build(node.operand))
        return made

    def _comparison(self, node: ast.Compare) -> pl.Expr:
        if len(node.ops) > 1:
            self._refuse(
                node, "comparisons stand in a row", "Write .is_between(low, high), or (a < b) & (b < c)."
            )
        compare = COMPARISONS.get(type(node.ops[0]))
        if compare is None:
            self._refuse(node, "this comparison is not there", "Write .is_in([...]) or .is_null().")
        made: pl.Expr = compare(self.build(node.left), self.build(node.comparators[0]))
        return made

    def _call(self, node: ast.Call) -> pl.Expr:
        name = word_of(node.func)
        if name is not None:
            return self._function(name, node)
        if not isinstance(node.func, ast.Attribute):
            self._refuse(node, "this cannot be called", f"The functions are: {_listed(_function_names())}.")
        if node.func.attr in ("then", "otherwise", "when"):
            return self._condition(node)
        return self._method(node, node.func)

    def _function(self, name: str, node: ast.Call) -> pl.Expr:
        if name == "col":
            return self._column(node)
        if name == "lit":
            self._only_positional(node, 1, "lit takes one constant")
            return pl.lit(self._literals.constant(node.args[0]))
        if name == "when":
            self._refuse(node, "when(...) has no then", "Write when(...).then(...).otherwise(...).")
        signature = FUNCTIONS.get(name)
        if signature is None:
            self._refuse(node, f"there is no function {name!r}", near(name, _function_names()))
        if not node.args:
            self._refuse(node, f"{name} has no arguments", "Give it expressions.")
        operands = [self._argument(Takes.OPERAND, argument) for argument in node.args]
        named = self._named(name, signature, node)
        made: pl.Expr = getattr(pl, name)(*operands, **named)
        return made

    def _column(self, node: ast.Call) -> pl.Expr:
        self._only_positional(node, 1, "col takes the name of one field")
        name = self._argument(Takes.TEXT, node.args[0])
        if name == "*" or (name.startswith("^") and name.endswith("$")) or not name:
            self._refuse(node, f"{shown(name)} names no single field", "Name one field.")
        return pl.col(name)

    def _condition(self, node: ast.Call) -> pl.Expr:
        """Build a chain of when, then and otherwise; without an otherwise the rest is null."""
        words: list[tuple[str, ast.expr]] = []
        part: ast.expr = node
        while isinstance(part, ast.Call):
            first = word_of(part.func)
            name = first or (part.func.attr if isinstance(part.func, ast.Attribute) else "")
            self._only_positional(part, 1, f"{name} takes one expression")
            words.append((name, part.args[0]))
            if first or not isinstance(part.func, ast.Attribute):
                break
            part = part.func.value
        words.reverse()
        names = [name for name, _ in words]
        pairs, rest = names[: len(names) // 2 * 2], names[len(names) // 2 * 2 :]
        if not pairs or pairs != ["when", "then"] * (len(pairs) // 2) or rest not in ([], ["otherwise"]):
            self._refuse(node, "the conditions are not in order", "Write when(...).then(...).otherwise(...).")
        built: Any = pl
        for name, argument in words:
            built = getattr(built, name)(self._argument(Takes.OPERAND, argument))
        made: pl.Expr = built
        return made

    def _method(self, node: ast.Call, function: ast.Attribute) -> pl.Expr:
        owner, name, space = function.value, function.attr, function.value
        if isinstance(space, ast.Attribute) and space.attr in NAMESPACES:
            owner, name = space.value, f"{space.attr}.{name}"
        signature = METHODS.get(name)
        if signature is None:
            self._refuse(
                function, f"there is no method {name!r} that looks at one row alone", near(name, METHODS)
            )
        value = self.build(owner)
        named = {**self._named(name, signature, node, node.args), **LENIENT.get(name, {})}
        target: Any = value
        for word in name.split("."):
            target = getattr(target, word)
        made: pl.Expr = target(**named)
        if name in STRICT:
            self.failed.append(value.is_not_null() & made.is_null())
        self._check_growth(node, name, named)
        return made

    def _check_growth(self, node: ast.Call, name: str, named: dict[str, Any]) -> None:
        if name in ("str.replace", "str.replace_all"):
            self._growth *= len(named["value"]) + 1
            if self._growth > _GROWTH:
                self._refuse(node, "its replacements may make a text too long", "Replace less.")
        if "pattern" in named and not named.get("literal"):
            try:
                pl.select(pl.lit("").str.contains(named["pattern"]))
            except pl.exceptions.PolarsError as exc:
                said = [line for line in str(exc).splitlines() if line.startswith("error: ")]
                why = said[0].removeprefix("error: ") if said else "it does not compile"
                self._refuse(
                    node,
                    f"the pattern {shown(named['pattern'])} is none: {why}",
                    "Mend it, or say literal=True.",
                )

    def _named(
        self, name: str, signature: Signature, node: ast.Call, positional: Iterable[ast.expr] = ()
    ) -> dict[str, Any]:
        """Read the arguments of a call by the names of its parameters."""
        known = {parameter.name: parameter for parameter in signature}
        given: dict[str, ast.expr] = {}
        for place, argument in enumerate(positional):
            if place >= len(signature):
                takes = ", ".join(known) or "nothing"
                self._refuse(argument, f"{name} is given too much", f"It takes {takes}.")
            given[signature[place].name] = argument
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in known or keyword.arg in given:
                self._refuse(
                    node, f"{name} cannot take {keyword.arg or '**'} here", near(keyword.arg or "", known)
                )
            given[keyword.arg] = keyword.value
        self._check_complete(name, signature, given, node)
        return {key: self._argument(known[key].takes, argument) for key, argument in given.items()}

    def _check_complete(
        self, name: str, signature: Iterable[Parameter], given: dict[str, ast.expr], node: ast.Call
    ) -> None:
        for parameter in signature:
            if parameter.required and parameter.name not in given:
                self._refuse(node, f"{name} lacks {parameter.name}", f"It is {parameter.takes.value}.")

    def _only_positional(self, node: ast.Call, count: int, said: str) -> None:
        if len(node.args) != count or node.keywords or isinstance(node.args[0], ast.Starred):
            self._refuse(node, said, 'Such as col("price") or lit(1).')

    def _argument(self, takes: Takes, node: ast.expr) -> Any:
        match takes:
            case Takes.VALUE:
                return self.build(node)
            case Takes.OPERAND:
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    self._refuse(
                        node, f"it is not said what {shown(node.value)} is", "Write lit(...) or col(...)."
                    )
                return self.build(node)
            case Takes.TYPE:
                return self._literals.type_named(node)
            case Takes.CONSTANTS if isinstance(node, ast.List | ast.Tuple | ast.Set):
                return self._literals.constants(node, node.elts)
            case Takes.TABLE if isinstance(node, ast.Dict) and None not in node.keys:
                keys = self._literals.constants(node, [key for key in node.keys if key is not None])
                return dict(zip(keys, self._literals.constants(node, node.values), strict=True))
            case Takes.CONSTANTS | Takes.TABLE:
                self._refuse(node, f"{takes.value} is expected", "Constants only: no expression.")
        value = self._literals.constant(node)
        if not fits(takes, value):
            self._refuse(node, f"{shown(value)} stands where {takes.value} is expected", "Mend it.")
        return value

    def _refuse_node(self, node: ast.expr) -> NoReturn:
        match node:
            case ast.BoolOp() | ast.UnaryOp():
                self._refuse(node, "`and`, `or` and `not` are not there", "Write &, | and ~, with brackets.")
            case ast.IfExp():
                self._refuse(node, "`if ... else` is not there", "Write when(...).then(...).otherwise(...).")
            case ast.Name():
                self._refuse(
                    node, f"the name {node.id!r} alone is nothing", f"Write col({node.id!r}) for a field."
                )
            case ast.Attribute():
                self._refuse(
                    node, f"{node.attr!r} is not called", f"Write .{node.attr}(...), where there is such."
                )
        kind = type(node).__name__
        self._refuse(
            node, f"a {kind} is no part of an expression", "It has fields, constants, operators and methods."
        )

    def _refuse(self, node: ast.expr, problem: str, hint: str) -> NoReturn:
        self._literals.refuse(node, problem, hint)


def _function_names() -> list[str]:
    return [*SPECIAL_FUNCTIONS, *FUNCTIONS]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
