"""How long steps may wait before they are sent, and how much may wait for the stream."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

_HINT = "Rows and bytes are 1 or more, seconds 0 or more."


@dataclass(frozen=True, slots=True)
class Linger:
    """Say how long steps may wait before they are sent, whichever comes first."""

    rows: int = 4000
    seconds: float = 0.5
    bytes: int = 1 << 20

    def __post_init__(self) -> None:
        if self.rows < 1 or self.bytes < 1 or not self.seconds >= 0:
            raise UsageError(f"{self} is not possible.", hint=_HINT)


@dataclass(frozen=True, slots=True)
class Limits:
    """Say how much may wait for the stream, and for how many seconds a publisher bears its absence."""

    rows: int = 100_000
    bytes: int = 64 << 20
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.bytes < 1 or not self.seconds >= 0:
            raise UsageError(f"{self} is not possible.", hint=_HINT)
