"""What stands in an expression as it is: constants, types and names, and where each of them stands."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from schemas.errors import UsageError
from schemas.expression_words import TYPES, Takes
from schemas.shown import shown

_LONGEST = 1000  # of what is padded
_INT64 = range(-(2**63), 2**63)
_CHOICES = {
    Takes.CLOSED: ("both", "left", "right", "none"),
    Takes.UNIT: ("ms", "us", "ns"),
}


class Literals:
    """Read constants out of the tree of one text; raise UsageError with the place of what is none."""

    def __init__(self, text: str) -> None:
        self._text = text

    def constants(self, node: ast.expr, elements: list[ast.expr]) -> list[Any]:
        """Return constants of one kind."""
        values = [self.constant(element) for element in elements]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            return [None if value is None else float(value) for value in values]
        if len(kinds) > 1 or not values:
            self.refuse(node, "constants of one kind are expected", "Such as [1, 2] or ['a', 'b'].")
        return values

    def constant(self, node: ast.expr) -> Any:
        """Return a constant."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self.constant(node.operand)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value
        elif isinstance(node, ast.Constant) and (
            node.value is None or isinstance(node.value, str | int | float | bool)
        ):
            if isinstance(node.value, int) and node.value not in _INT64:
                self.refuse(node, f"{shown(node.value)} does not fit 64 bits", "Write it as a float.")
            if isinstance(node.value, str) and any("\ud800" <= sign <= "\udfff" for sign in node.value):
                self.refuse(node, "the text holds half a character", "Write it whole.")
            return node.value
        self.refuse(node, "a constant is expected", "Such as 1, 0.5, 'a', True or None.")

    def type_named(self, node: ast.expr) -> Any:
        """Return the type of a name."""
        name = word_of(node) or ""
        if name not in TYPES:
            self.refuse(node, f"there is no type {name or 'like that'}", near(name, TYPES))
        return TYPES[name]

    def refuse(self, node: ast.expr, problem: str, hint: str) -> NoReturn:
        """Raise the error of a place."""
        at = node.col_offset
        if isinstance(node, ast.Attribute) and node.end_col_offset is not None:
            at = node.end_col_offset - len(node.attr.encode())
        place = len(self._text.encode()[:at].decode(errors="replace")) + 1
        raise UsageError(f"At character {place} of {shown(self._text)}: {problem}.", hint=hint)


def word_of(node: ast.expr) -> str | None:
    """Return the name of a function or a type, written `f` or `pl.f`; None for what is a method."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pl":
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def near(name: str, known: Iterable[str]) -> str:
    """Name what is there and near a name, for a hint."""
    names = list(known)
    found = difflib.get_close_matches(name, names, n=3)
    if found:
        return f"Near it: {', '.join(found)}."
    return (
        f"There are: {', '.join(names)}." if len(names) < 20 else "See docs/mapping.md for those there are."
    )


def fits(takes: Takes, value: Any) -> bool:
    """Say whether a constant may stand there."""
    if takes in _CHOICES:
        return value in _CHOICES[takes]
    if takes is Takes.FLAG:
        return isinstance(value, bool)
    if takes in (Takes.WHOLE, Takes.LENGTH):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (takes is Takes.WHOLE or 0 <= value <= _LONGEST)
    return isinstance(value, str)
