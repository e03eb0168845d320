"""Rules by a Python function that somebody registered, in the program or by an installed package."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import overload

import polars as pl
import pyarrow as pa
from pydantic import ConfigDict

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.registry import BUILT_IN
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule, RuleArguments
from validation.rules.values import row_saying

RuleFunction = Callable[..., pl.Series]
_GROUP = "replaylake.rules"
_KINDS: dict[str, Kind] = {}
_FUNCTIONS: dict[str, RuleFunction] = {}


class _Given(RuleArguments):
    """Hold the kwargs of a registered rule on fixed columns; the rest goes to its function."""

    model_config = ConfigDict(extra="allow")


class _GivenWithColumn(ColumnArguments):
    """Hold the kwargs of a registered rule on the column that the suite names."""

    model_config = ConfigDict(extra="allow")


@overload
def register_rule(
    name: str, function: RuleFunction, *, columns: Sequence[str] = ..., version: str = ...
) -> RuleFunction: ...


@overload
def register_rule(
    name: str, function: None = None, *, columns: Sequence[str] = ..., version: str = ...
) -> Callable[[RuleFunction], RuleFunction]: ...


def register_rule(
    name: str, function: RuleFunction | None = None, *, columns: Sequence[str] = (), version: str = "1"
) -> RuleFunction | Callable[[RuleFunction], RuleFunction]:
    """Make a Python function an expectation of that name; usable as a decorator.

    The function gets a Polars frame of the columns, and the expectation's other kwargs by name. Without
    columns the expectation has a kwarg `column`. It returns a boolean series, one value for each row: False
    for a row that fails, null for one that it does not judge. What it says of a row must depend on that row
    alone. Raise the version when its meaning changes: it is part of a gate's hash.
    """
    if function is None:
        return functools.partial(register_rule, name, columns=columns, version=version)
    if not name.startswith("expect_") or not name.isidentifier():
        raise SuiteError(f"The name {name!r} is none of an expectation.", hint="Call it expect_my_rule.")
    if name in BUILT_IN:
        raise SuiteError(f"There is a rule {name!r} already.", hint="Give yours another name.")
    known = _FUNCTIONS.get(name)
    if known is not None and _place(known) != _place(function):
        raise SuiteError(
            f"{name!r} is registered already, by {_place(known)}.", hint="Give one of them another name."
        )
    build = functools.partial(_build, name, version, function, tuple(columns))
    arguments = _Given if columns else _GivenWithColumn
    _KINDS[name] = Kind(name, arguments, build, identity=f"{name}@{version}")
    _FUNCTIONS[name] = function
    return function


def registered_kinds() -> Mapping[str, Kind]:
    """Return the kinds that were registered, also by installed packages."""
    _load_packages()
    return _KINDS


@functools.cache
def _load_packages() -> None:
    """Import what packages offer as entry points of the group `replaylake.rules`: importing registers."""
    for point in entry_points(group=_GROUP):
        try:
            point.load()
        except Exception as exc:
            raise SuiteError(
                f"The rules {point.name!r} of an installed package cannot be loaded: {exc}.",
                hint=f"Mend or remove the package that offers {point.value!r}.",
            ) from exc


def _place(function: RuleFunction) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"


def _build(
    name: str,
    version: str,
    function: RuleFunction,
    fixed: tuple[str, ...],
    arguments: RuleArguments,
    columns: Columns,
) -> Rule:
    reads = (arguments.column,) if isinstance(arguments, ColumnArguments) else fixed
    for column in reads:
        columns.type_of(column)
    kwargs = dict(arguments.model_extra or {})
    try:
        inspect.signature(function).bind(pl.DataFrame(), **kwargs)
    except TypeError as exc:
        raise SuiteError(
            f"its kwargs do not fit the function: {exc}.", hint="See how it is defined."
        ) from exc

    def judge(rows: pa.Table) -> pl.Series:
        frame = pl.DataFrame([pl.Series(column, rows[column]) for column in reads])
        where = f"The rule {name!r} (version {version})"
        try:
            judged = function(frame, **kwargs)
        except Exception as exc:
            raise SuiteError(
                f"{where} raised {type(exc).__name__}: {exc}.", hint="No row was judged by it; mend it."
            ) from exc
        return _checked(judged, len(rows), where)

    mask = Mask(f"{name}({json.dumps([reads, kwargs], sort_keys=True)})", judge)
    says = row_saying(reads, f"{name} does not hold")
    about = reads[0] if len(reads) == 1 else None
    return Rule(f"{name}({','.join(reads)})", about, mask.expression, reads, says, (mask,))


def _checked(judged: object, rows: int, where: str) -> pl.Series:
    if not isinstance(judged, pl.Series) or judged.dtype not in (pl.Boolean, pl.Null):
        found = f"a series of {judged.dtype}" if isinstance(judged, pl.Series) else type(judged).__name__
        raise SuiteError(f"{where} returned {found}.", hint="Return a boolean Polars series.")
    if len(judged) != rows:
        raise SuiteError(f"{where} returned {len(judged)} values for {rows} rows.", hint="Return one a row.")
    return judged.cast(pl.Boolean)
