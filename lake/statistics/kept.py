"""Files that are kept beside an archive's tables, and can be made again: damage to them is seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

FOLDER: Final = "statistics"
ANSWERS: Final = "answers"  # beside the folders of dates


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold what was found, and in which rows."""

    version: int  # of the table
    rows: int
    data: bytes

    def to_bytes(self) -> bytes:
        """Write it with a checksum."""
        header = {"version": self.version, "rows": self.rows, "sha256": self._digest()}
        return orjson.dumps(header) + b"\n" + self.data

    @classmethod
    def from_bytes(cls, content: bytes) -> Kept | None:
        """Read what is kept; None where it is torn or damaged."""
        line, _, data = content.partition(b"\n")
        try:
            header = orjson.loads(line)
            kept = cls(header["version"], header["rows"], data)
            return kept if header["sha256"] == kept._digest() else None
        except (ValueError, LookupError, TypeError):
            return None

    def _digest(self) -> str:
        return hashlib.sha256(b"%d %d\n%b" % (self.version, self.rows, self.data)).hexdigest()
