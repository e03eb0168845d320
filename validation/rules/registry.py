"""The one table of expectation types. A new kind is its file, its line here, and its test."""

from __future__ import annotations

from collections.abc import Mapping

from validation.rules.experience import EXPERIENCE_KINDS
from validation.rules.rule import Kind
from validation.rules.values import VALUE_KINDS

_KINDS: dict[str, Kind] = {kind.name: kind for kind in (*VALUE_KINDS, *EXPERIENCE_KINDS)}


def kinds() -> Mapping[str, Kind]:
    """Return every kind of expectation by its type."""
    return _KINDS
