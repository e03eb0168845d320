"""From a constraint as people write it to the words of expressions: bare names, functions, chains."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from schemas.errors import SuiteError
from schemas.expression_literals import word_of
from schemas.expression_words import FUNCTIONS, METHODS, SPECIAL_FUNCTIONS, TYPES
from validation.columns import ColumnError, did_you_mean
from validation.places import Place

# What stands before the name of a neighbour's column; no column of ours has a space in its name.
NEIGHBOURS: Mapping[str, str] = {"previous": "previous ", "following": "following "}
_SHORT = {"min": "min_horizontal", "max": "max_horizontal"}
_NAMING = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.NamedExpr)
_WORDS = (*FUNCTIONS, *_SHORT, *(name for name in METHODS if "." not in name), *SPECIAL_FUNCTIONS, "element")


class Rewriter(ast.NodeTransformer):
    """Rewrite one constraint. `places` gathers what it is about."""

    def __init__(self, names: Mapping[str, Place], schema: pa.Schema) -> None:
        self._names, self._schema = names, schema
        self.places: list[Place] = []

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Read a bare name: one given to an element, a column, or a neighbour's."""
        if node.id in TYPES or node.id == "pl":
            return node
        prefix, name = self._split(node.id)
        place = self._place(name)
        if place is None:
            known = [*self._names, *self._schema.names]
            raise ColumnError(f"There is no column and no name {node.id!r}.", hint=did_you_mean(name, known))
        return self._at(prefix, place)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Read an element as findings name it: `observation[2]`, `observation.arm[1]`."""
        return self._named(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Read a field of a column, as `observation.clock`; what a struct has not is a method."""
        root = _root(node)
        own = self._split(root)[1] if root else ""
        type_ = self._schema.field(own).type if own in self._schema.names else pa.null()
        is_field = root not in self._names and pa.types.is_struct(type_)
        return self._named(node) if is_field else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Read a function: `element`, one of expressions, or a method written as one."""
        name = word_of(node.func)
        if name == "element":
            return self._element(node)
        if name == "col":
            return self._column(node)
        if name is None:
            self.generic_visit(node)
            return node
        if name not in _WORDS:
            raise SuiteError(f"There is no function {name!r}.", hint=did_you_mean(name, _WORDS))
        arguments = [self.visit(argument) for argument in node.args]
        if name in METHODS and name not in FUNCTIONS and arguments:
            return ast.Call(ast.Attribute(arguments[0], name), arguments[1:], node.keywords)
        return ast.Call(ast.Name(_SHORT.get(name, name)), arguments, node.keywords)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Read `and` and `or`."""
        operator: ast.operator = ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr()
        return _joined([self.visit(value) for value in node.values], operator)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Read `not`."""
        operand = self.visit(node.operand)
        return ast.UnaryOp(ast.Invert() if isinstance(node.op, ast.Not) else node.op, operand)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Read comparisons in a row."""
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return _joined([ast.Compare(left, [kind], [right]) for left, kind, right in pairs], ast.BitAnd())

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Refuse what names things of its own; the builder of expressions refuses the rest."""
        if isinstance(node, _NAMING):
            kind = type(node).__name__
            raise SuiteError(
                f"A {kind} is no part of a constraint.", hint="It has columns, constants and operators."
            )
        return super().generic_visit(node)

    def _named(self, node: ast.Subscript | ast.Attribute) -> ast.expr:
        root = _root(node)
        if root is None or root in self._names:
            raise SuiteError(f"{ast.unparse(node)} is no element of a column.", hint="Write observation[2].")
        prefix, own = self._split(root)
        return self._at(prefix, Place.parse(own + ast.unparse(node).removeprefix(root)))

    def _split(self, name: str) -> tuple[str, str]:
        """Split off which step a name is about; a column that has such a name itself comes first."""
        if name in self._schema.names or name in self._names:
            return "", name
        for neighbour, prefix in NEIGHBOURS.items():
            if name.startswith(f"{neighbour}_"):
                return prefix, name.removeprefix(f"{neighbour}_")
        return "", name

    def _place(self, name: str) -> Place | None:
        if name in self._names:
            return self._names[name]
        if name in self._schema.names:
            return Place(name)
        held = self._names.get(name.removeprefix("next_")) if name.startswith("next_") else None
        return Place(f"next_{held.column}", held.fields, held.element) if held else None

    def _element(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(
                args=[ast.Constant(value=str(column)), ast.Constant(value=int(element))], keywords=[]
            ) if element >= 0:
                prefix, own = self._split(column)
                return self._at(prefix, Place.parse(f"{own}[{element}]"))
        raise SuiteError("element takes a column and a number.", hint='Write element("observation", 2).')

    def _column(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(args=[ast.Constant(value=str(name))], keywords=[]):
                prefix, own = self._split(name)
                self.places.append(Place(own))
                return ast.Call(node.func, [ast.Constant(f"{prefix}{own}")], [])
        return node

    def _at(self, prefix: str, place: Place) -> ast.expr:
        """Refer to a place; numbers are computed with in 64 bits, and NaN is a null."""
        type_ = place.type_in(self._schema)
        self.places.append(place)
        made: Any = ast.Call(ast.Name("col"), [ast.Constant(prefix + place.column)], [])
        for name in place.fields:
            made = _call(made, "struct.field", ast.Constant(name))
        if place.element is not None:
            made = _call(made, "list.get", ast.Constant(place.element))
        if pa.types.is_floating(type_):
            return _call(_call(made, "cast", ast.Name("Float64")), "fill_nan", ast.Constant(None))
        return _call(made, "cast", ast.Name("Int64")) if pa.types.is_integer(type_) else made


def _root(node: ast.expr) -> str | None:
    """Return the name that fields and elements are taken of, where it is one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _call(made: Any, name: str, argument: ast.expr) -> ast.Call:
    for word in name.split("."):
        made = ast.Attribute(made, word)
    return ast.Call(made, [argument], [])


def _joined(parts: list[Any], operator: ast.operator) -> ast.expr:
    made: ast.expr = parts[0]
    for other in parts[1:]:
        made = ast.BinOp(made, operator, other)
    return made
