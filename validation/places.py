"""Places: one value in a row, named as findings do: `reward`, `observation[2]`, `observation.arm[1]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, did_you_mean

_PLACE = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)(?:\[(\d{1,9})\])?")


@dataclass(frozen=True, slots=True)
class Place:
    """Name a column, a field inside of it, and an element of that."""

    column: str
    fields: tuple[str, ...] = ()
    element: int | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read such a name; raise SuiteError for anything else."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise SuiteError(
                f"{text!r} names no element of a column.", hint="Write observation[0] or observation.arm[2]."
            )
        column, fields, element = found.groups()
        return cls(column, tuple(fields.split(".")[1:]), None if element is None else int(element))

    def __str__(self) -> str:
        element = "" if self.element is None else f"[{self.element}]"
        return ".".join((self.column, *self.fields)) + element

    def type_in(self, schema: pa.Schema) -> pa.DataType:
        """Return the type of what stands there; raise ColumnError where there is no one value."""
        if self.column not in schema.names:
            raise ColumnError(
                f"There is no column {self.column!r}.", hint=did_you_mean(self.column, schema.names)
            )
        type_ = schema.field(self.column).type
        for name in self.fields:
            known = [held.name for held in type_] if pa.types.is_struct(type_) else []
            if name not in known:
                hint = did_you_mean(name, known) if known else "Leave it out."
                raise ColumnError(f"{self} is not there: there is no field {name!r}.", hint=hint)
            type_ = type_.field(name).type
        if self.element is not None:
            if not is_list(type_):
                raise ColumnError(
                    f"{self} is not there: {type_} has no elements.", hint="Leave out the [...]."
                )
            type_ = type_.value_type
        if pa.types.is_nested(type_) or pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
            hint = f"Write {self}[0]." if is_list(type_) else "Rules on vectors judge it as a whole."
            raise ColumnError(f"{self} is {type_}, not one value.", hint=hint)
        return type_


def is_list(type_: pa.DataType) -> bool:
    """Say whether a column holds lists."""
    return bool(
        pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    )
