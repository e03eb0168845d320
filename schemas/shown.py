"""Values and names as messages show them: short, and always text that can be stored."""

from __future__ import annotations

_LONGEST = 80  # characters of a value; a longer one is cut
_LONGEST_NAME = 60


def shown(value: object) -> str:
    """Return the value's repr, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def unknown_field(name: str) -> str:
    """Return the reason for a field that nobody knows; what is no UTF-8 in its name is escaped."""
    plain = name[:_LONGEST_NAME].encode("utf-8", "backslashreplace").decode()
    return f"unknown_field({plain})"
