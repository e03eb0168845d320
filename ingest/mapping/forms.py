"""Forms: what may be written under a column of a mapping, and the shorthands for it.

reward: price                                   a field
reward: $.order.price                           a field by its JSONPath
observation: [x, y]                             a vector
reward: {field: price, default: 0}              and so on, by the key that says which form it is
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from ingest.mapping.paths import path_of
from ingest.mapping.tables import category_keys
from ingest.mapping.targets import TypeName
from ingest.mapping.times import Clock
from schemas.errors import UsageError
from schemas.expressions import Expression
from schemas.shown import shown

TAG = "form "  # how the place of a form in a union begins, which is not shown to people


def _checked_path(text: object) -> object:
    if isinstance(text, str):
        _told(lambda: path_of(text))
    return text


def _told(action: Any) -> Any:
    """Turn an error of ours into one that pydantic gathers with its place."""
    try:
        return action()
    except UsageError as exc:
        raise ValueError(str(exc)) from exc


FieldName = Annotated[str, BeforeValidator(_checked_path)]
Category = bool | int | str
Table = Annotated[dict[Category, Any], Field(min_length=1)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ConstForm(_Form):
    """The same value for every record."""

    const: Any
    type: TypeName | None = None


class _Reading(_Form):
    """What may stand beside a field or an expression."""

    default: Any = None  # stands where the value is missing
    type: TypeName | None = None  # for a column that the archive does not have
    values: Table | None = None  # a table of what each value becomes
    other: Any = None  # what a value becomes that is not in the table
    time: str | None = None  # iso, epoch_s, epoch_ms, epoch_us or a format
    zone: str | None = None  # of times that name none

    @model_validator(mode="after")
    def _is_possible(self) -> _Reading:
        if "other" in self.model_fields_set and self.values is None:
            raise ValueError("`other` is for a table of `values`, and there is none")
        if self.values is not None:
            table = self.values
            if self.time or self.zone:
                raise ValueError("`time` and `zone` do not go with a table of `values`")
            _told(lambda: category_keys(table))
        _told(lambda: self.clock)
        return self

    @property
    def clock(self) -> Clock:
        """How times are written."""
        return Clock(self.time or "iso", self.zone)


class FieldForm(_Reading):
    """The value of a field."""

    field: FieldName


class ExprForm(_Reading):
    """The value of an expression over fields."""

    expr: str

    @field_validator("expr")
    @classmethod
    def _is_an_expression(cls, text: str) -> str:
        _told(lambda: Expression.parse(text))
        return text


class OneHotForm(_Form):
    """A 1 at the place of the field's value among `values`, and 0 elsewhere."""

    one_hot: FieldName
    values: Annotated[tuple[Category, ...], Field(min_length=1, strict=False)]
    other: Category | None = None  # one of the values, which stands for all that are not named

    @model_validator(mode="after")
    def _is_possible(self) -> OneHotForm:
        keys = _told(lambda: category_keys(self.values))
        if (
            "other" in self.model_fields_set
            and next(iter(_told(lambda: category_keys([self.other])))) not in keys
        ):
            raise ValueError(f"other {shown(self.other)} is not one of the values")
        return self


class HashForm(_Form):
    """The slot that a text is hashed to: as a 1 among zeros in a vector, as a number in a whole number."""

    hash: FieldName
    slots: Annotated[int, Field(ge=1, le=1_000_000)]
    default: str | None = None
    type: Literal["int64"] | None = None


class ListForm(_Form):
    """The elements of a list."""

    list: FieldName
    size: Annotated[int, Field(ge=1)] | None = None  # needed where several parts may be of any size
    separator: Annotated[str, Field(min_length=1)] | None = None  # in a text; without it a text is JSON
    default: Any = None  # stands for an element that is null
    values: Table | None = None  # a table of what each element becomes
    other: Any = None


class MapForm(_Form):
    """The values of an object's keys, in this order."""

    map: FieldName
    keys: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    default: Any = None  # stands where the object lacks a key


class StructForm(_Form):
    """An object of values, written as JSON text."""

    struct: Annotated[dict[str, PlainForm], Field(min_length=1)]


class VectorForm(_Form):
    """A row of numbers, put together of parts."""

    vector: Annotated[tuple[PartForm, ...], Field(min_length=1, strict=False)]


class FieldsForm(_Form):
    """A form for each field of a Dict space, or in order for a Tuple space."""

    fields: Annotated[dict[str, Form], Field(min_length=1)]

    @field_validator("fields", mode="before")
    @classmethod
    def _by_name(cls, fields: object) -> object:
        if isinstance(fields, list | tuple):
            return {f"item_{place}": form for place, form in enumerate(fields)}
        return fields


_FORMS: dict[str, type[_Form]] = {
    "const": ConstForm,
    "field": FieldForm,
    "expr": ExprForm,
    "vector": VectorForm,
    "one_hot": OneHotForm,
    "hash": HashForm,
    "list": ListForm,
    "map": MapForm,
    "struct": StructForm,
    "fields": FieldsForm,
}


def _spelled_out(value: object) -> object:
    """Write shorthands out, and say of what is no form what it lacks."""
    if isinstance(value, _Form):
        return value
    if isinstance(value, str):
        return {"field": value}
    if isinstance(value, list | tuple):
        return {"vector": list(value)}
    if not isinstance(value, Mapping):
        raise ValueError(f"{shown(value)} is no form; write {{const: {value}}} for a constant")
    found = [key for key in value if key in _FORMS]
    if not found:
        near = [near for key in value for near in difflib.get_close_matches(str(key), list(_FORMS), n=1)]
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_FORMS)}"
        raise ValueError(f"no key says which form it is; {meant}")
    if len(found) > 1:
        raise ValueError(f"it says {' and '.join(found)}, and only one can be")
    return value


def _tag(value: Any) -> str | None:
    keys = (
        value if isinstance(value, Mapping) else type(value).model_fields if isinstance(value, _Form) else ()
    )
    return next((TAG + key for key in _FORMS if key in keys), None)


Form = Annotated[
    Annotated[ConstForm, Tag(TAG + "const")]
    | Annotated[FieldForm, Tag(TAG + "field")]
    | Annotated[ExprForm, Tag(TAG + "expr")]
    | Annotated[VectorForm, Tag(TAG + "vector")]
    | Annotated[OneHotForm, Tag(TAG + "one_hot")]
    | Annotated[HashForm, Tag(TAG + "hash")]
    | Annotated[ListForm, Tag(TAG + "list")]
    | Annotated[MapForm, Tag(TAG + "map")]
    | Annotated[StructForm, Tag(TAG + "struct")]
    | Annotated[FieldsForm, Tag(TAG + "fields")],
    Discriminator(_tag),
    BeforeValidator(_spelled_out),
]
PartForm = Annotated[
    Annotated[ConstForm, Tag(TAG + "const")]
    | Annotated[FieldForm, Tag(TAG + "field")]
    | Annotated[ExprForm, Tag(TAG + "expr")]
    | Annotated[OneHotForm, Tag(TAG + "one_hot")]
    | Annotated[HashForm, Tag(TAG + "hash")]
    | Annotated[ListForm, Tag(TAG + "list")]
    | Annotated[MapForm, Tag(TAG + "map")],
    Discriminator(_tag),
    BeforeValidator(_spelled_out),
]
PlainForm = Annotated[
    Annotated[ConstForm, Tag(TAG + "const")]
    | Annotated[FieldForm, Tag(TAG + "field")]
    | Annotated[ExprForm, Tag(TAG + "expr")],
    Discriminator(_tag),
    BeforeValidator(_spelled_out),
]
StructForm.model_rebuild()
VectorForm.model_rebuild()
FieldsForm.model_rebuild()


def was_given(form: BaseModel, name: str) -> bool:
    """Say whether a setting stands in the mapping, also where it stands as null."""
    return name in form.model_fields_set
