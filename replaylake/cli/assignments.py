"""Words such as `alpha=0.5`, whose values are YAML scalars."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from schemas.errors import UsageError

# YAML 1.1 takes a number in scientific form for text where it has no point or no sign.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def parse_assignments(words: Iterable[str], *, what: str) -> dict[str, Any]:
    """Return the values by name; raise UsageError for a word without a name, or a name given twice."""
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"The {what} {word!r} is not name=value.", hint="Write it such as alpha=0.5.")
        if name in values:
            raise UsageError(f"The {what} {name!r} is given twice.", hint="Leave one of them out.")
        values[name] = _value(text, word, what)
    return values


def _value(text: str, word: str, what: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text) if text else ""
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise UsageError(
            f"The value of the {what} {word!r} is not YAML.", hint="Put a text with signs in it in quotes."
        ) from exc
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
