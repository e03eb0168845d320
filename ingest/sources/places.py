"""Where a reading of a source stands, so that another one can go on there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R", covariant=True)

MARKED = 1024  # bytes before a place by which it is known again
KEPT = 256 << 10  # bytes that are kept of a record which is too long


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bound what a reader holds: it never has much more than a chunk and a record."""

    chunk: int = 4 << 20  # bytes that are read and parsed together
    record: int = 16 << 20  # bytes of one record; a longer one is refused
    document: int = 256 << 20  # bytes of one JSON document that holds many records
    rows: int = 50_000  # of a typed table at once


LIMITS = ReadLimits()


@dataclass(frozen=True, slots=True)
class Place:
    """Stand before a record: the bytes (decompressed) and the records that came before it.

    In Parquet the offset counts row groups. `mark` identifies the bytes before the place: a file that was
    truncated or replaced does not have them. The bytes of a last record without a newline lie behind the
    place and are told by `open`: they were read, and may turn out to be half of a record.
    """

    offset: int = 0
    record: int = 0
    mark: str = ""
    open: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Generic[R]):
    """Hold records that were read together, and the place after them."""

    records: R
    end: Place


def mark_of(before: bytes) -> str:
    """Identify a place by the bytes before it."""
    return hashlib.blake2b(before[-MARKED:], digest_size=8).hexdigest()
