"""Binding: from a form and what its column wants to what makes the column."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ingest.mapping.casts import cast_constant
from ingest.mapping.computed import ExpressionReader
from ingest.mapping.forms import (
    ConstForm,
    ExprForm,
    FieldForm,
    FieldsForm,
    HashForm,
    ListForm,
    MapForm,
    OneHotForm,
    StructForm,
    VectorForm,
    was_given,
)
from ingest.mapping.lists import ListPart
from ingest.mapping.made import Maker, Part
from ingest.mapping.parts import HashPart, MapPart, OneHotPart, ScalarPart
from ingest.mapping.paths import path_of
from ingest.mapping.readers import FieldReader, Reader
from ingest.mapping.scalars import NO_DEFAULT, ConstantMaker, Lookup, ScalarMaker, SlotMaker
from ingest.mapping.structs import JsonMaker, StructMaker
from ingest.mapping.tables import category_keys
from ingest.mapping.targets import Parts, Row, Single, Sort, Target
from ingest.mapping.times import Clock
from ingest.mapping.vectors import VectorMaker
from schemas.errors import UsageError
from schemas.space_values import json_text

_PLAIN_CLOCK = Clock()
_NAMES: dict[Any, str] = {
    ConstForm: "const",
    ExprForm: "expr",
    FieldForm: "field",
    FieldsForm: "fields",
    HashForm: "hash",
    ListForm: "list",
    MapForm: "map",
    OneHotForm: "one_hot",
    StructForm: "struct",
    VectorForm: "vector",
}


def bind(form: Any, target: Target) -> Maker:
    """Return what makes a column of this target; raise UsageError where the form cannot."""
    if isinstance(target, Single):
        return _bind_single(form, target)
    if isinstance(target, Row):
        return VectorMaker(_parts(form, target), target)
    return _bind_struct(form, target)


def _bind_single(form: Any, target: Single) -> Maker:
    match form:
        case ConstForm():
            return ConstantMaker(_constant(form.const, target), target)
        case FieldForm() | ExprForm():
            return _scalar(form, target)
        case HashForm() if target.sort is Sort.INT:
            reader = FieldReader(form.hash, optional=form.default is not None)
            return SlotMaker(reader, form.slots, target, form.default)
        case StructForm() if target.sort in (Sort.JSON, Sort.TEXT):
            return JsonMaker({name: _plain_reader(part) for name, part in form.struct.items()})
    _cannot(form, f"it holds one value, {target.sort.value}")


def _scalar(form: FieldForm | ExprForm, target: Single) -> ScalarMaker:
    if target.sort is not Sort.TIME and (form.time or form.zone):
        raise UsageError(
            f"`time` and `zone` are for a time, and {target.sort.value} is wanted.", hint="Leave them out."
        )
    clock = form.clock
    lookup = None
    if form.values is not None:
        other = form.other if was_given(form, "other") else NO_DEFAULT
        lookup = Lookup(form.values, other, target, _PLAIN_CLOCK)
    default: Any = NO_DEFAULT
    if was_given(form, "default"):
        default = _constant(form.default, target, clock)
    return ScalarMaker(_reader(form), target, clock, default, lookup)


def _constant(value: Any, target: Single, clock: Clock = _PLAIN_CLOCK) -> Any:
    return None if value is None else cast_constant(value, target, clock)


def _reader(form: FieldForm | ExprForm) -> Reader:
    if isinstance(form, ExprForm):
        return ExpressionReader(form.expr)
    return FieldReader(form.field, optional=was_given(form, "default"))


def _plain_reader(form: Any) -> Any:
    if isinstance(form, ConstForm):
        json_text(form.const)
        return form.const
    if form.values is not None or form.time or form.zone or form.default is not None or form.type:
        raise UsageError("In a struct a field stands as it is.", hint="Leave the rest out, or use an expr.")
    return _reader(form)


def _bind_struct(form: Any, target: Parts) -> Maker:
    names = ", ".join(target.fields)
    forms: Mapping[str, Any]
    match form:
        case FieldsForm():
            forms = form.fields
        case FieldForm() if not was_given(form, "default") and form.values is None:
            forms = {name: FieldForm(field=_deeper(form.field, name)) for name in target.fields}
        case ConstForm(const=Mapping()):
            forms = {name: ConstForm(const=value) for name, value in form.const.items()}
        case _:
            _cannot(form, f"it has the fields {names}")
    if set(forms) != set(target.fields):
        raise UsageError(f"The fields given are {', '.join(forms)}.", hint=f"The space has {names}.")
    return StructMaker({name: _inner(name, forms[name], part) for name, part in target.fields.items()})


def _inner(name: str, form: Any, target: Target) -> Maker:
    try:
        return bind(form, target)
    except UsageError as exc:
        raise UsageError(f"The field {name!r}: {exc.message}", hint=exc.hint) from exc


def _deeper(field: str, name: str) -> str:
    """Return the JSONPath of a field within a field."""
    keys = path_of(field).keys
    if keys is None:
        raise UsageError(f"{field!r} may find several values.", hint="Write a form for each field.")
    return "$" + "".join(f"[{json.dumps(key)}]" for key in (*keys, name))


def _parts(form: Any, target: Row) -> tuple[Part, ...]:
    forms: tuple[Any, ...]
    match form:
        case VectorForm():
            parts = tuple(_part(inner, target) for inner in form.vector)
        case ConstForm():
            forms = tuple(form.const) if isinstance(form.const, list | tuple) else (form.const,)
            parts = tuple(_part(ConstForm(const=value), target) for value in forms)
        case FieldForm() | ExprForm():
            parts = (_whole(form, target),)
        case OneHotForm() | HashForm() | ListForm() | MapForm():
            parts = (_part(form, target),)
        case _:
            _cannot(form, f"it holds {target.size} values, each {target.element.sort.value}")
    open_ended = [part for part in parts if part.width is None]
    if len(open_ended) > 1:
        raise UsageError("Two lists of any size stand in one vector.", hint="Give each its `size`.")
    width = sum(part.width or 0 for part in parts)
    if width != target.size if not open_ended else width >= target.size:
        said = "at least " if open_ended else ""
        raise UsageError(
            f"Its parts give {said}{width + len(open_ended)} values, and {target.size} are wanted.",
            hint="Name as many as the archive's spec says.",
        )
    return parts


def _whole(form: FieldForm | ExprForm, target: Row) -> Part:
    """Read a whole row of numbers from one field."""
    if form.default is not None or form.time or form.zone:
        raise UsageError("A list takes no default and no time here.", hint="Write {list: ..., default: ...}.")
    bare = type(form).model_construct(**{**dict(form), "default": None})
    element = _scalar(bare, target.element)
    return ListPart(_reader(form), element, None, None, target.as_bytes)


def _part(form: Any, target: Row) -> Part:
    element = target.element
    match form:
        case ConstForm():
            if form.const is None:
                raise UsageError("A constant null cannot stand in a vector.", hint="Give a number.")
            return ScalarPart(ConstantMaker(_constant(form.const, element), element))
        case FieldForm() | ExprForm():
            return ScalarPart(_scalar(form, element))
        case OneHotForm():
            keys = category_keys(form.values)
            other = category_keys([form.other]) if was_given(form, "other") else None
            place = None if other is None else keys[next(iter(other))]
            return OneHotPart(FieldReader(form.one_hot, optional=False), keys, len(form.values), place)
        case HashForm():
            optional = form.default is not None
            return HashPart(FieldReader(form.hash, optional=optional), form.slots, form.default)
        case ListForm():
            return _list_part(form, target)
        case MapForm():
            return _map_part(form, element)
    _cannot(form, "it is a part of a vector")


def _list_part(form: ListForm, target: Row) -> Part:
    reader = FieldReader(form.list, optional=False)
    inner = FieldForm.model_construct(
        _fields_set={name for name in ("default", "other") if was_given(form, name)},
        field=form.list,
        default=form.default,
        values=form.values,
        other=form.other,
    )
    return ListPart(reader, _scalar(inner, target.element), form.size, form.separator, target.as_bytes)


def _map_part(form: MapForm, element: Single) -> Part:
    default = _constant(form.default, element) if was_given(form, "default") else NO_DEFAULT
    keys = path_of(form.map).keys

    def named(key: str) -> Callable[[], ScalarMaker]:
        shown_key = _deeper(form.map, key) if keys is not None else key
        reader = FieldReader(shown_key, optional=True)
        return lambda: ScalarMaker(reader, element, _PLAIN_CLOCK)

    makers = {key: named(key)() for key in form.keys}
    reader = FieldReader(form.map, optional=False)
    return MapPart(reader, tuple(form.keys), makers.__getitem__, default)


def _cannot(form: Any, wanted: str) -> NoReturn:
    raise UsageError(
        f"A {_NAMES[type(form)]!r} cannot make it: {wanted}.",
        hint="See docs/mapping.md for the forms that can.",
    )
