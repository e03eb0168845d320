"""Rules on the type of a column, by the names that pandas, Python, Polars and Arrow have for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from validation.columns import ColumnError, Columns, is_text
from validation.json_values import kind_of
from validation.rules.rule import ColumnArguments, Kind, Measure, Observed, Rule
from validation.rules.values import present, saying
from validation.wording import show

# Names that Great Expectations knows beside those of numpy, and the types of values that it means by them.
_NATIVE: Mapping[str, type] = {
    "none": type(None),
    "bool": bool,
    "int": int,
    "long": int,
    "float": float,
    "bytes": bytes,
    "complex": complex,
    "str": str,
    "string_types": str,
    "list": list,
    "dict": dict,
    "timestamp": datetime,
    "timedelta": timedelta,
}


class TypeArguments(ColumnArguments):
    """Hold the kwargs of be_of_type."""

    type_: str


class TypesArguments(ColumnArguments):
    """Hold the kwargs of be_in_type_list."""

    type_list: list[str] | None


def _of_type(arguments: TypeArguments, columns: Columns) -> Rule | Measure:
    return _judge(arguments.column, [arguments.type_], columns, whole=frozenset({"object", "object_", "O"}))


def _in_types(arguments: TypesArguments, columns: Columns) -> Rule | Measure:
    return _judge(arguments.column, arguments.type_list, columns)


def _judge(
    column: str, names: list[str] | None, columns: Columns, whole: frozenset[str] = frozenset()
) -> Rule | Measure:
    """Judge the column's one type; of a column of Python objects, each value's, as the library does.

    Of such a column, too, `whole` are names that are meant of the column.
    """
    type_ = columns.type_of(column)
    if column in columns.objects and names is not None and not whole & set(names):
        return _per_value(column, names, type_, columns)
    held = _names_of(type_, column in columns.objects)
    success = names is None or any(_is_named(name, held, type_) for name in names)
    if columns.strict and not success:
        raise ColumnError(
            f"{column} is {kind_of(type_)}, never {show(names)}.", hint=f"It is {', '.join(held.shown)}."
        )

    def judge(_: Mapping[str, Any]) -> Observed:
        return Observed(success, held.observed)

    return Measure(f"type({column})", column, {}, judge)


class _Names:
    """Hold what a type is called."""

    def __init__(self, scalar: type, type_: pa.DataType) -> None:
        self.scalar = scalar  # of the same values in pandas
        self.observed = scalar.__name__
        polars = pl.Series(pa.array([], type_)).dtype
        self.names = {str(type_), str(polars), str(polars.base_type())}
        if type_ == pa.float32():
            self.names.remove("float")  # Arrow's name; the library's is that of Python's float, of 64 bits
        if is_text(type_):
            self.names |= {"string", "large_string", "utf8", "Utf8"}
        self.shown = sorted({self.observed, *self.names})


def _names_of(type_: pa.DataType, objects: bool) -> _Names:
    return _Names(np.object_ if objects else _scalar(type_), type_)


def _scalar(type_: pa.DataType) -> type:
    """Return what Great Expectations compares for the same values in pandas: the type of one of them."""
    if is_text(type_):
        return str
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return type("Timestamp", (), {})
    if pa.types.is_timestamp(type_):
        return np.datetime64
    if pa.types.is_duration(type_):
        return np.timedelta64
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_):
        scalar: type = np.dtype(type_.to_pandas_dtype()).type
        return scalar
    return np.object_


def _is_named(name: str, held: _Names, type_: pa.DataType) -> bool:
    if name in held.names or (name == "Timestamp" and held.observed == "Timestamp"):
        return True
    scalars = {_numpy(name), _NATIVE.get(name.lower())}
    return held.scalar in scalars and held.scalar is not type(None)


def _numpy(name: str) -> type | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that numpy will drop
            return np.dtype(name).type
    except (TypeError, ValueError, SyntaxError):
        return None


def _per_value(column: str, names: list[str], type_: pa.DataType, columns: Columns) -> Rule:
    """Judge Python objects: all of one kind, or they would not be a column here."""
    kinds = tuple(filter(None, _kinds(names)))
    if not kinds:
        raise ColumnError(f"{show(names)} names no type.", hint="Such as int, float, str, list or dict.")
    holds = issubclass(_python_type(type_), kinds)
    mask = present(column, columns)
    expression = pl.when(mask.expression).then(pl.lit(holds))
    says = saying(column, f"not of type {show(names)}")
    return Rule(f"type({column})", column, expression, (column,), says, (mask,))


def _kinds(names: Iterable[str]) -> Iterable[type | None]:
    for name in names:
        yield _numpy(name)
        yield _NATIVE.get(name.lower())


def _python_type(type_: pa.DataType) -> type:
    if pa.types.is_null(type_):
        return type(None)
    value = pl.Series(pa.array([], type_)).dtype.to_python()
    return dict if value is object else value


TYPE_KINDS = (
    Kind("expect_column_values_to_be_of_type", TypeArguments, _of_type),
    Kind("expect_column_values_to_be_in_type_list", TypesArguments, _in_types),
)
