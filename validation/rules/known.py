"""Every kind of expectation that is known here: ours, and those that others registered."""

from __future__ import annotations

from collections.abc import Mapping

from validation.rules.registered import registered_kinds
from validation.rules.registry import BUILT_IN
from validation.rules.rule import Kind


def kinds() -> Mapping[str, Kind]:
    """Return the kinds by their type."""
    return {**registered_kinds(), **BUILT_IN}
