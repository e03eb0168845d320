"""The words of an expression: every function, method, operator and type that one may use, and no other.

All of them are elementwise: what a row gets depends on that row alone. What looks at other rows
(aggregates, `shift`, `over`, `sort`, `cum_sum`, `is_unique`), guesses from them (a time without its
format), calls back into Python, reads files or draws random numbers is not here, and so cannot be said.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

import polars as pl


class Takes(Enum):
    """Say what may stand as an argument."""

    VALUE = "an expression or a constant"
    OPERAND = "an expression or a number"  # Polars takes a bare text here for a column, so none may stand
    TEXT = "a text"
    PATTERN = "a regular expression"
    WHOLE = "a whole number"
    LENGTH = "a whole number from 0 to 1000"
    FLAG = "True or False"
    CONSTANTS = "a list of constants"
    TABLE = "a table of constants, such as {'a': 1}"
    TYPE = "a type, such as Float64"
    CLOSED = "'both', 'left', 'right' or 'none'"
    UNIT = "'ms', 'us' or 'ns'"


class Parameter(NamedTuple):
    """Describe an argument, by position or by its name."""

    name: str
    takes: Takes
    required: bool = True


Signature = tuple[Parameter, ...]


def _a(name: str, takes: Takes) -> Parameter:
    return Parameter(name, takes)


def _may(name: str, takes: Takes) -> Parameter:
    return Parameter(name, takes, required=False)


_OTHER = (_a("other", Takes.VALUE),)
_PATTERN = (_a("pattern", Takes.PATTERN), _may("literal", Takes.FLAG))
_REPLACING = (_a("pattern", Takes.PATTERN), _a("value", Takes.TEXT), _may("literal", Takes.FLAG))
_PADDING = (_a("length", Takes.LENGTH), _may("fill_char", Takes.TEXT))
_FORMAT = (_a("format", Takes.TEXT),)
_UNIT = (_may("time_unit", Takes.UNIT),)

_PLAIN_METHODS = (
    "abs arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh cot degrees exp floor is_finite "
    "is_infinite is_nan is_not_nan is_not_null is_null log10 log1p neg not_ radians sign sin sinh sqrt tan "
    "tanh "
    "str.len_bytes str.len_chars str.to_lowercase str.to_titlecase str.to_uppercase str.reverse "
    "dt.date dt.day dt.hour dt.iso_year dt.microsecond dt.millisecond dt.minute dt.month dt.nanosecond "
    "dt.ordinal_day dt.quarter dt.second dt.time dt.total_days dt.total_hours dt.total_microseconds "
    "dt.total_milliseconds dt.total_minutes dt.total_seconds dt.week dt.weekday dt.year dt.is_leap_year "
    "list.all list.any list.arg_max list.arg_min list.first list.last list.len list.max list.mean "
    "list.median list.min list.n_unique list.sum"
).split()

METHODS: Mapping[str, Signature] = {
    **dict.fromkeys(_PLAIN_METHODS, ()),
    **dict.fromkeys("add and_ floordiv mod mul or_ sub truediv xor".split(), _OTHER),
    **dict.fromkeys("eq eq_missing ge gt le lt ne ne_missing".split(), _OTHER),
    "cast": (_a("dtype", Takes.TYPE),),
    "clip": (_may("lower_bound", Takes.OPERAND), _may("upper_bound", Takes.OPERAND)),
    "fill_nan": (_a("value", Takes.OPERAND),),
    "fill_null": (_a("value", Takes.VALUE),),
    "is_between": (
        _a("lower_bound", Takes.OPERAND),
        _a("upper_bound", Takes.OPERAND),
        _may("closed", Takes.CLOSED),
    ),
    "is_in": (_a("other", Takes.CONSTANTS),),
    "log": (_may("base", Takes.OPERAND),),
    "pow": (_a("exponent", Takes.OPERAND),),
    "replace": (_a("old", Takes.TABLE),),
    "replace_strict": (
        _a("old", Takes.TABLE),
        _a("default", Takes.VALUE),
        _may("return_dtype", Takes.TYPE),
    ),
    "round": (_may("decimals", Takes.LENGTH),),
    "round_sig_figs": (_a("digits", Takes.WHOLE),),
    "dt.convert_time_zone": (_a("time_zone", Takes.TEXT),),
    "dt.epoch": (_may("time_unit", Takes.TEXT),),
    "dt.strftime": _FORMAT,
    "dt.timestamp": _UNIT,
    "dt.to_string": _FORMAT,
    "dt.truncate": (_a("every", Takes.TEXT),),
    "list.contains": (_a("item", Takes.VALUE),),
    "list.get": (_a("index", Takes.WHOLE),),
    "list.join": (_a("separator", Takes.TEXT),),
    "list.slice": (_a("offset", Takes.WHOLE), _may("length", Takes.WHOLE)),
    "str.contains": _PATTERN,
    "str.count_matches": _PATTERN,
    "str.ends_with": (_a("suffix", Takes.TEXT),),
    "str.extract": (_a("pattern", Takes.PATTERN), _may("group_index", Takes.LENGTH)),
    "str.extract_all": (_a("pattern", Takes.PATTERN),),
    "str.head": (_a("n", Takes.WHOLE),),
    "str.json_path_match": (_a("json_path", Takes.TEXT),),
    "str.pad_end": _PADDING,
    "str.pad_start": _PADDING,
    "str.replace": _REPLACING,
    "str.replace_all": _REPLACING,
    "str.slice": (_a("offset", Takes.WHOLE), _may("length", Takes.WHOLE)),
    "str.split": (_a("by", Takes.TEXT),),
    "str.starts_with": (_a("prefix", Takes.TEXT),),
    "str.strip_chars": (_may("characters", Takes.TEXT),),
    "str.strip_chars_end": (_may("characters", Takes.TEXT),),
    "str.strip_chars_start": (_may("characters", Takes.TEXT),),
    "str.strip_prefix": (_a("prefix", Takes.TEXT),),
    "str.strip_suffix": (_a("suffix", Takes.TEXT),),
    "str.tail": (_a("n", Takes.WHOLE),),
    "str.to_date": _FORMAT,
    "str.to_datetime": (*_FORMAT, _may("time_unit", Takes.UNIT), _may("time_zone", Takes.TEXT)),
    "str.to_integer": (_may("base", Takes.WHOLE),),
    "str.to_time": _FORMAT,
    "str.zfill": (_a("length", Takes.LENGTH),),
    "struct.field": (_a("name", Takes.TEXT),),
}
NAMESPACES = frozenset(name.partition(".")[0] for name in METHODS if "." in name)

# A value that one of these cannot read gives null, and counts as failed: no row takes another with it.
STRICT = frozenset({"cast", "str.to_date", "str.to_datetime", "str.to_integer", "str.to_time"})
# What they are called with besides, so that one row cannot fail a whole batch.
LENIENT: Mapping[str, Mapping[str, Any]] = {
    **{name: {"strict": False} for name in STRICT},
    "str.to_datetime": {"strict": False, "ambiguous": "null"},
    "list.get": {"null_on_oob": True},
}

# Functions of any number of expressions, with what else they take by name.
FUNCTIONS: Mapping[str, Signature] = {
    "all_horizontal": (),
    "any_horizontal": (),
    "coalesce": (),
    "concat_str": (_may("separator", Takes.TEXT), _may("ignore_nulls", Takes.FLAG)),
    "max_horizontal": (),
    "mean_horizontal": (_may("ignore_nulls", Takes.FLAG),),
    "min_horizontal": (),
    "sum_horizontal": (_may("ignore_nulls", Takes.FLAG),),
}
SPECIAL_FUNCTIONS = ("col", "lit", "when")

TYPES: Mapping[str, Any] = {
    "Boolean": pl.Boolean,
    "Date": pl.Date,
    "Float32": pl.Float32,
    "Float64": pl.Float64,
    "Int8": pl.Int8,
    "Int16": pl.Int16,
    "Int32": pl.Int32,
    "Int64": pl.Int64,
    "String": pl.String,
    "UInt8": pl.UInt8,
    "UInt16": pl.UInt16,
    "UInt32": pl.UInt32,
    "UInt64": pl.UInt64,
    "Utf8": pl.String,
}

BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.Sub: operator.sub,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Invert: operator.invert,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.NotEq: operator.ne,
}
