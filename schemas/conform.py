"""Bring an Arrow table to a spec's wire schema, or say which column cannot be brought there.

Nothing is ever changed to fit: a fraction does not become an integer, a string does not become a
number, an unknown column is not dropped. What is allowed is what loses no meaning: wider integers,
whole floats as integers, other encodings of lists, strings and times, and floats in the spec's own
precision. Of a time, what is beyond microseconds is cut.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError
from schemas.shown import shown, unknown_field
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, wire_schema
from schemas.times import TimeError, event_times


def conform(table: pa.Table, spec: ArchiveSpec) -> pa.Table:
    """Return the table with exactly the wire columns of the spec, missing ones filled by their default.

    Raise StepsError with the column for one that is unknown or of a type that does not fit.
    """
    schema = wire_schema(spec)
    columns = _by_name(table)
    if PROPENSITY_ALIAS in columns:
        columns = _with_log_prob(columns)
    for name in columns:
        if name not in schema.names:
            raise StepsError(
                f"The column {shown(name)} is not one of the step or of the spec's extras.",
                column=name,
                reason=unknown_field(name),
                hint="Rename it, or declare it under `extras` in the archive's spec.",
            )
    defaults = {column.name: column.default for column in WIRE_COLUMNS}
    arrays = []
    for field in schema:
        if field.name in columns:
            array = _fit_column(field.name, columns[field.name], field.type)
        else:
            array = pa.nulls(table.num_rows, field.type)
        default = defaults.get(field.name)
        if default is not None and array.null_count:
            array = array.fill_null(pa.scalar(default, field.type))
        arrays.append(array)
    return pa.table(arrays, schema=schema)


def _by_name(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    try:
        names = table.column_names
    except UnicodeDecodeError as exc:
        raise StepsError("The name of a column is not UTF-8.", hint="Rename it.") from exc
    if len(set(names)) != table.num_columns:
        raise StepsError("Two columns have one name.", hint="Rename one of them.")
    return dict(zip(names, table.columns, strict=True))


def _with_log_prob(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """Replace `action_probability` by its logarithm, where no logarithm is given."""
    renamed = {name: column for name, column in columns.items() if name != PROPENSITY_ALIAS}
    logs = pc.ln(_fit_column(PROPENSITY_ALIAS, columns[PROPENSITY_ALIAS], pa.float64()))
    if "action_log_prob" in columns:
        given = _fit_column("action_log_prob", columns["action_log_prob"], pa.float64())
        both = pc.and_(pc.is_valid(given), pc.is_valid(logs))
        if pc.any(both).as_py():
            raise StepsError(
                "A row has both action_log_prob and action_probability.",
                column=PROPENSITY_ALIAS,
                hint="Give one of them.",
            )
        logs = pc.coalesce(given, logs)
    renamed["action_log_prob"] = logs
    return renamed


def _fit_column(name: str, column: pa.ChunkedArray | pa.Array, target: pa.DataType) -> pa.Array:
    try:
        array = _in_one_piece(column)
        if isinstance(array, pa.ChunkedArray):  # more than a single array can hold: 2 GiB of strings or bytes
            raise StepsError(f"The column {name!r} is too large for one batch.", hint="Use smaller batches.")
        return _fit(array, target)
    except (pa.ArrowException, TimeError, _Misfit) as exc:
        raise StepsError(
            f"The column {name!r} is {column.type} and does not fit {target}: {_short(exc)}",
            column=name,
            hint="Publish the type that the archive's spec says.",
        ) from exc


def _in_one_piece(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    # Putting chunks together copies, even where there is but one.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Misfit(ValueError):
    """Say why a type cannot be brought to another."""


def _short(exc: Exception) -> str:
    return str(exc).split("\n", 1)[0].rstrip(".") + "."


def _fit(array: pa.Array, target: pa.DataType) -> pa.Array:
    source = array.type
    if source.equals(target) and not _has_times(target):
        return array
    if pa.types.is_null(source):
        return pa.nulls(len(array), target)
    if pa.types.is_dictionary(source):
        return _fit(array.dictionary_decode(), target)
    if isinstance(array, pa.ExtensionArray):
        return _fit(array.storage, target)
    if pa.types.is_timestamp(target):
        return event_times(array)
    if pa.types.is_list(target) and _is_listlike(source):
        return _fit_list(array, target)
    if pa.types.is_struct(target) and pa.types.is_struct(source):
        return _fit_struct(array, target)
    if _kind(source) != _kind(target):
        raise _Misfit(f"a {_kind(source)} is not a {_kind(target)}")
    if pa.types.is_floating(source) and pa.types.is_floating(target):
        return array.cast(target, safe=False)  # the spec's own precision
    return array.cast(target)


def _fit_list(array: pa.Array, target: pa.DataType) -> pa.Array:
    as_list = array.cast(pa.list_(array.type.value_type))
    first = as_list.offsets[0].as_py() if len(as_list) else 0
    last = as_list.offsets[len(as_list)].as_py() if len(as_list) else 0
    values = _fit(as_list.values.slice(first, last - first), target.value_type)
    offsets = pc.subtract(as_list.offsets, pa.scalar(first, pa.int32()))
    mask = as_list.is_null() if as_list.null_count else None
    return pa.ListArray.from_arrays(offsets, values, type=target, mask=mask)


def _fit_struct(array: pa.Array, target: pa.DataType) -> pa.Array:
    given = sorted(field.name for field in array.type)
    wanted = sorted(field.name for field in target)
    if given != wanted:
        raise _Misfit(f"its fields are {given}, not {wanted}")
    children = [_fit(array.field(field.name), field.type) for field in target]
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(target), mask=mask)


def _has_times(kind: pa.DataType) -> bool:
    """Say whether values of the type have to be looked at even where it is the right one already."""
    if pa.types.is_struct(kind):
        return any(_has_times(field.type) for field in kind)
    return bool(pa.types.is_timestamp(kind))


def _is_listlike(source: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(source) or pa.types.is_large_list(source) or pa.types.is_fixed_size_list(source)
    )


def _kind(source: pa.DataType) -> str:
    if pa.types.is_boolean(source):
        return "boolean"
    if pa.types.is_integer(source) or pa.types.is_floating(source):
        return "number"
    if pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source):
        return "string"
    if pa.types.is_binary(source) or pa.types.is_large_binary(source) or pa.types.is_binary_view(source):
        return "bytes"
    if pa.types.is_fixed_size_binary(source):
        return "bytes"
    return str(source)
