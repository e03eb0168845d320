"""The one table of expectation types. A new rule is its file, its line here, and its test."""

from __future__ import annotations

from validation.rules.experience import EXPERIENCE_KINDS
from validation.rules.rule import Kind
from validation.rules.values import VALUE_KINDS

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*VALUE_KINDS, *EXPERIENCE_KINDS)}
