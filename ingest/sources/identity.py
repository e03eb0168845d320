"""The identity mapping: for tables whose columns are called as the step's are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ingest.mapping import RecordMapping
from ingest.sources.options import SourceOptions
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.shown import shown
from schemas.spaces import Dict, Discrete, Scalar, Space, Text, Tuple
from schemas.step import DATE_FIELD, GATE_FIELDS, LINEAGE_FIELDS, PROPENSITY_ALIAS, WIRE_COLUMNS

_NUMBERED = re.compile(r"(.+)_(\d+)")
_MILLISECONDS_FROM = 1e11  # as on the wire
# What the gate and the worker have added to steps that were exported: they add it anew.
_ADDED = frozenset(field.name for field in (*GATE_FIELDS, *LINEAGE_FIELDS, DATE_FIELD))


Fields = pl.DataFrame | Sequence[Mapping[str, Any]]


def columns_of(fields: Fields) -> tuple[str, ...]:
    """Return the names of the fields: of a table, or of the first of records that are all alike."""
    return tuple(fields.columns if isinstance(fields, pl.DataFrame) else fields[0])


def identity_mapping(fields: Fields, spec: ArchiveSpec) -> RecordMapping:
    """Return the mapping of columns to those of the step that have their names.

    A vector is a list, a text with a JSON array, or numbered columns such as `observation_0`. Raise
    UsageError for a column that the archive does not have.
    """
    names = columns_of(fields)
    known = {column.name for column in WIRE_COLUMNS} | set(spec.extras) | {PROPENSITY_ALIAS}
    columns: dict[str, Any] = {}
    for name in names:
        numbered = _NUMBERED.fullmatch(name)
        if name in known:
            columns[name] = _form(name, spec.spaces.get(name))
        elif numbered and numbered[1] in spec.spaces:
            columns.setdefault(numbered[1], {"vector": []})
        elif name not in _ADDED:
            raise UsageError(
                f"The table has a column {shown(name)}, which is not one of the step or of the archive.",
                hint="Say which fields become which columns: --mapping FILE.yaml (see docs/mapping.md).",
            )
    for name, form in columns.items():
        if "vector" in form:
            form["vector"] = _in_order(name, names)
    if "event_time" in columns:
        columns["event_time"] = {"field": "event_time", "time": _clock(fields)}
    return RecordMapping.from_dict({"columns": columns}, origin="The table")


def _form(path: str, space: Space | None) -> dict[str, Any]:
    if isinstance(space, Dict | Tuple):
        start = path if path.startswith("$") else f"$.{path}"
        return {"fields": {name: _form(f"{start}.{name}", inner) for name, inner in space.fields.items()}}
    single = space is None or isinstance(space, Discrete | Text | Scalar)
    return {"field" if single and path != "action_mask" else "list": path}


def _in_order(name: str, names: Sequence[str]) -> list[str]:
    wanted = [f"{name}_{number}" for number in range(len(names))]
    found = [column for column in wanted if column in names]
    if found != wanted[: len(found)] or name in names:
        raise UsageError(
            f"The columns of {name!r} are not numbered from 0.",
            hint="Name them name_0, name_1 and so on, or give a --mapping.",
        )
    return found


def _clock(fields: Fields) -> str:
    """Tell by the first time how times are written: as ISO 8601, or as seconds or milliseconds."""
    times = (
        fields["event_time"].drop_nulls().head(1).to_list()
        if isinstance(fields, pl.DataFrame)
        else [fields[0]["event_time"]]
    )
    try:
        moment = float(times[0])
    except (IndexError, TypeError, ValueError):
        return "iso"
    return "epoch_ms" if abs(moment) >= _MILLISECONDS_FROM else "epoch_s"


def with_empty_as_null(options: SourceOptions) -> SourceOptions:
    """Return options by which an empty value of a table of text is none, where they say nothing of it."""
    if "nulls" in options.csv.model_fields_set:
        return options
    return options.model_copy(update={"csv": options.csv.model_copy(update={"nulls": ("",)})})
