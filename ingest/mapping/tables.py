"""Tables of values, and categories: one of a few texts to a number, a one-hot row or a slot."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.mapping.values import Kind, Mask, Values, valid
from schemas.errors import UsageError
from schemas.shown import shown

_TRUTHS = {True: ("true", "True", "TRUE"), False: ("false", "False", "FALSE")}


def category_texts(values: Values) -> tuple[pl.Series, Mask]:
    """Return each value as the text of its category, null where it is missing, and which have none.

    A text is itself, an integer its digits, also where it is a whole float, and a boolean true or false.
    """
    texts: pl.Series | None = None
    bad = np.zeros(values.length, np.bool_) if values.failed is None else values.failed.copy()
    for group in values.groups:
        made = _texts_of(group.kind, group.values)
        wrong = valid(group.values) & made.is_null().to_numpy()
        if group.rows is None:
            bad |= wrong
            texts = made
        else:
            bad[group.rows] |= wrong
            base = _no_texts(values.length) if texts is None else texts
            texts = base.scatter(group.rows, made)
    return _no_texts(values.length) if texts is None else texts, bad


def _no_texts(length: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, length)


def _texts_of(kind: Kind, values: pl.Series | Sequence[Any]) -> pl.Series:
    if not isinstance(values, pl.Series):
        return _no_texts(len(values))
    if kind is Kind.TEXT:
        return values
    if kind is Kind.INT:
        return values.cast(pl.String)
    if kind is Kind.BOOL:
        return values.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    if kind is Kind.FLOAT:
        inside = values.is_finite() & (values == values.round()) & (values.abs() < 2.0**53)
        return values.set(~inside, None).cast(pl.Int64).cast(pl.String)
    return _no_texts(len(values))


def category_keys(values: Iterable[Any]) -> dict[str, int]:
    """Number the categories of a mapping in their order, by the texts that stand for them.

    Raise UsageError for one that is no category, or stands twice.
    """
    keys: dict[str, int] = {}
    for place, value in enumerate(values):
        for text in _keys_of(value):
            if text in keys:
                raise UsageError(f"The value {value!r} stands twice.", hint="Leave one of them out.")
            keys[text] = place
    return keys


def _keys_of(value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return _TRUTHS[value]
    if isinstance(value, str | int):
        return (str(value),)
    raise UsageError(
        f"{shown(value)} is no category.", hint="Categories are texts, whole numbers, true and false."
    )


def places_of(texts: pl.Series, keys: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the number of each text's category; -1 where it has none."""
    found = texts.replace_strict(list(keys), list(keys.values()), default=-1, return_dtype=pl.Int64)
    return found.fill_null(-1).to_numpy()


def slots_of(texts: pl.Series, slots: int) -> NDArray[np.int64]:
    """Return the slot of each text: CRC-32 of its UTF-8 bytes, modulo the slots; -1 where it is missing.

    It is the same on every machine and in every version, and easy to compute elsewhere.
    """
    unique = texts.unique().drop_nulls()
    hashed = [zlib.crc32(text.encode()) % slots for text in unique]
    if not hashed:
        return np.full(len(texts), -1, np.int64)
    found = texts.replace_strict(unique, pl.Series(hashed, dtype=pl.Int64), default=-1, return_dtype=pl.Int64)
    return found.fill_null(-1).to_numpy()
