"""What is said of a snapshot after it was made: who needs it, and what was erased of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Pin:
    """Say who needs a snapshot: it cannot be deleted until they let it go."""

    by: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """Say that rows of a snapshot were erased: it is no more what it was."""

    id: str
    rows: int
    at: datetime


def mark_to_json(mark: Pin | Erasure) -> dict[str, Any]:
    """Return a mark as JSON-ready values."""
    return {**asdict(mark), "at": mark.at.isoformat()}


def pin_from_json(content: Mapping[str, Any]) -> Pin:
    """Read a pin from what was stored."""
    return Pin(content["by"], content["note"], datetime.fromisoformat(content["at"]))


def erasure_from_json(content: Mapping[str, Any]) -> Erasure:
    """Read an erasure from what was stored."""
    return Erasure(content["id"], content["rows"], datetime.fromisoformat(content["at"]))
