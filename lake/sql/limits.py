"""What one query may take: memory, time, and room on the disk for what does not fit into memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import UsageError

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", re.IGNORECASE)
_LONGEST = 10**9  # seconds; the engine counts milliseconds in 64 bits


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Bound a query: it ends with a QueryError where it asks for more.

    `memory` is such as `2GB`, or a share of the machine's such as `50%`. `seconds` is None for as long as it
    takes. `spill` is how much may be written to a private temporary folder, `0GB` for nothing.
    """

    memory: str = "50%"
    seconds: float | None = None
    spill: str = "20GB"

    def __post_init__(self) -> None:
        for name in ("memory", "spill"):
            value = getattr(self, name)
            if not _SIZE.fullmatch(value) or (name == "spill" and value.endswith("%")):
                raise UsageError(f"The limit of {name} is {value!r}, which is no size.", hint="Say 2GB.")
        if self.seconds is not None and not 0 < self.seconds <= _LONGEST:
            raise UsageError(f"The limit of time is {self.seconds}.", hint="Say a number of seconds above 0.")

    @property
    def spills(self) -> bool:
        """Whether anything may be written."""
        return float(re.split(r"[^\d.]", self.spill, maxsplit=1)[0]) > 0
