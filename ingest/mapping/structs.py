"""Structs: a value for each field of a Dict or Tuple space; and objects written as JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from ingest.mapping.batches import Batch
from ingest.mapping.made import Made, Maker, fields_of_all, nowhere
from ingest.mapping.readers import Reader
from ingest.mapping.values import Values
from schemas.shown import shown
from schemas.space_values import WrongTypeError, json_text

_PLAIN = frozenset({str, int, bool})


@dataclass(frozen=True, slots=True, eq=False)
class StructMaker:
    """Make a struct of its fields. One whose every field is missing is missing; one of them is bad."""

    parts: Mapping[str, Maker]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return fields_of_all(list(self.parts.values()))

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        made = {name: maker.make(batch) for name, maker in self.parts.items()}
        bad, some = nowhere(len(batch)), nowhere(len(batch))
        every = np.ones(len(batch), np.bool_)
        for name, part in made.items():
            bad |= part.bad
            if self.parts[name].fields:
                some |= part.missing
                every &= part.missing
        missing = every & ~bad if self.fields else nowhere(len(batch))
        bad |= some & ~missing
        null = bad | missing

        def why(row: int) -> str:
            for name, part in made.items():
                if part.bad[row]:
                    return f"{name}: {part.why(row)}"
                if part.missing[row]:
                    return f"{name} is missing"
            return ""

        array = pa.StructArray.from_arrays(
            [part.array for part in made.values()], list(made), mask=pa.array(null) if null.any() else None
        )
        return Made(array, bad, missing, why)


@dataclass(frozen=True, slots=True, eq=False)
class JsonMaker:
    """Write an object of several values as JSON text; a value that is missing is left out."""

    parts: Mapping[str, Reader | Any]  # what reads a value, or a constant

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        readers = [part for part in self.parts.values() if hasattr(part, "read")]
        return tuple(dict.fromkeys(field for reader in readers for field in reader.fields))

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        read: dict[str, Values] = {}
        constants: dict[str, Any] = {}
        for name, part in self.parts.items():
            if hasattr(part, "read"):
                read[name] = part.read(batch)
            else:
                constants[name] = part
        columns = {name: _objects(values) for name, values in read.items()}
        bad = nowhere(len(batch))
        for values in read.values():
            if values.failed is not None:
                bad |= values.failed
        problems: dict[int, str] = {}
        texts: list[str | None] = []
        for row in range(len(batch)):
            held = {name: column[row] for name, column in columns.items() if column[row] is not None}
            try:
                texts.append(None if bad[row] else _as_text({**constants, **held}))
            except WrongTypeError:
                bad[row] = True
                problems[row] = f"{shown(held)} cannot be written as JSON"
                texts.append(None)

        def why(row: int) -> str:
            said = (values.why_failed(row) for values in read.values())
            return next(filter(None, said), "") or problems[row]

        return Made(pa.array(texts, pa.string()), bad, nowhere(len(batch)), why)


def _as_text(held: dict[str, Any]) -> str:
    """Write an object as JSON; that of texts, whole numbers and booleans, as most are, by the fast way."""
    if _PLAIN.issuperset(map(type, held.values())):
        try:
            return orjson.dumps(held).decode()
        except (TypeError, ValueError):  # an integer beyond 64 bits, half a character
            pass
    return json_text(held)


def _objects(values: Values) -> list[Any]:
    """Return the values row by row, as Python has them."""
    held: list[Any] = [None] * values.length
    for group in values.groups:
        found = group.values.to_list() if hasattr(group.values, "to_list") else group.values
        if group.rows is None:
            return list(found)
        for row, value in zip(group.rows.tolist(), found, strict=True):
            held[row] = value
    return held
