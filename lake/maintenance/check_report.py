"""What a check found wrong with an archive."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Name one thing that is wrong, by a short stable code, and what mends it."""

    code: str
    table: str  # or what else of the archive it is
    file: str  # empty where it is of no one file
    what: str
    mend: str


@dataclass(slots=True)
class CheckReport:
    """Say what was looked at, and what is wrong."""

    archive: str
    deep: bool
    files: int = 0
    rows: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {**asdict(self), "sound": self.is_sound}
