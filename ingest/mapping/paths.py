"""Paths: how a mapping names a field, compiled once.

A text that starts with `$` is a JSONPath; any other is the name of a field, as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.errors import UsageError
from schemas.shown import shown

_LONGEST = 1000  # characters


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Hold a path: the keys that lead to one value, or a query that may find any number of them."""

    text: str
    keys: tuple[str | int, ...] | None  # None: only the query knows
    find: Callable[[Any], Any]  # the value in a record; None where there is none

    @property
    def is_plain(self) -> bool:
        """Say whether the path is the name of a field."""
        return self.keys is not None and len(self.keys) == 1 and isinstance(self.keys[0], str)

    @property
    def head(self) -> str | None:
        """The field of the record that the path starts at, where it starts at one."""
        return self.keys[0] if self.keys and isinstance(self.keys[0], str) else None


@lru_cache(maxsize=4096)
def path_of(text: str) -> Path:
    """Compile a path; raise UsageError where it starts with `$` and is no JSONPath.

    A query that finds one value gives that value; one that finds several gives the list of them.
    """
    if not text or len(text) > _LONGEST:
        raise UsageError(
            f"{shown(text)} names no field.", hint="Write its name, or a JSONPath such as $.a.b[0]."
        )
    if not text.startswith("$"):
        return Path(text, (text,), _getter((text,)))
    from jsonpath import JSONPath, JSONPathError
    from jsonpath import compile as compile_path

    try:
        compiled = compile_path(text)
    except (JSONPathError, RecursionError) as exc:
        said = str(exc).splitlines()[0]
        raise UsageError(
            f"{shown(text)} is no JSONPath: {said}.", hint="Such as $.a.b[0] or $.items[*].price."
        ) from exc
    keys = _keys(compiled) if isinstance(compiled, JSONPath) else None
    return Path(text, keys, _query(compiled.findall) if keys is None else _getter(keys))


def dig(value: Any, keys: Sequence[str | int]) -> Any:
    """Follow keys into objects and lists; None where they lead nowhere."""
    for key in keys:
        if isinstance(key, str):
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        else:
            if not isinstance(value, list) or not -len(value) <= key < len(value):
                return None
            value = value[key]
    return value


def _keys(path: Any) -> tuple[str | int, ...] | None:
    """Return the keys of a path that leads to one place; None where it is a query."""
    if not path.singular_query():
        return None
    selectors = [selector for segment in path.segments for selector in segment.selectors]
    keys = (getattr(selector, "name", getattr(selector, "index", None)) for selector in selectors)
    return tuple(key for key in keys if key is not None)


def _getter(keys: tuple[str | int, ...]) -> Callable[[Any], Any]:
    if len(keys) == 1 and isinstance(keys[0], str):
        name = keys[0]
        return lambda record: record.get(name)
    return lambda record: dig(record, keys)


def _query(findall: Callable[[Any], list[Any]]) -> Callable[[Any], Any]:
    def find(record: Any) -> Any:
        found = findall(record)
        if len(found) == 1:
            return found[0]
        return found or None

    return find
