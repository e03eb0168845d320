"""Expectations: one rule as Great Expectations writes it, and what has a list of them under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol, get_args

from schemas.errors import SuiteError

Severity = Literal["critical", "warning", "info"]
SHAPE = 'A suite is {"name": ..., "expectations": [{"type": ..., "kwargs": {...}, "severity": ...}]}.'


@dataclass(frozen=True)
class Expectation:
    """State one rule as Great Expectations writes it."""

    type: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"
    other: Mapping[str, Any] = field(default_factory=dict)  # the remaining keys: id, meta, notes

    def __post_init__(self) -> None:
        if not isinstance(self.type, str) or not self.type:
            raise SuiteError(f"the type {self.type!r} is not a text.", hint=SHAPE)
        if not isinstance(self.kwargs, Mapping):
            raise SuiteError(f"kwargs is a {type(self.kwargs).__name__}, not a mapping.", hint=SHAPE)
        if self.severity not in get_args(Severity):
            raise SuiteError(
                f"the severity {self.severity!r} is none.",
                hint=f"There are: {', '.join(get_args(Severity))}.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, the severity always among them; the caller owns them."""
        judging = {"type": self.type, "kwargs": self.kwargs, "severity": self.severity}
        copied: dict[str, Any] = plain({**judging, **self.other}, self.type)
        return copied


class Expectations(Protocol):
    """Name what a suite is to those who compile it."""

    @property
    def name(self) -> str:
        """How errors and results call it."""

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The rules, in order."""


def plain(value: Any, where: str) -> Any:
    """Copy JSON values; YAML's dates become ISO 8601 texts."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise SuiteError(f"{where}: the key {key!r} is not a text.", hint="Put it in quotes.")
        return {key: plain(held, where) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held, where) for held in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise SuiteError(
        f"{where}: {value!r} is a {type(value).__name__}, not a JSON value.",
        hint="Use texts, numbers, lists.",
    )
