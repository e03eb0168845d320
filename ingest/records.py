"""Records of outside sources on their way to steps: as they came, mapped, and what could not be mapped.

A source yields `Records`; a mapping turns them into `Mapped`; the timeline, where there is one, turns those
into steps. What becomes no step travels on as `Refused`, to quarantine, with its bytes and its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.times import epoch_ms


@dataclass(frozen=True, slots=True)
class Refused:
    """Say why a record became no step; `raw` are its bytes, as they came where that is possible."""

    raw: bytes
    reason: str  # a short stable code, such as `mapping(reward)`
    detail: str  # one line for people


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Hold records as a source read them.

    `fields` is a frame where the source is a table (CSV: every column text, as it stood; Parquet: typed), and
    a sequence of parsed objects where it is JSON or Avro. `ids` name each record by its place in its
    source and its content: a second reading repeats them. `raw` gives the bytes of one record.
    """

    fields: pl.DataFrame | Sequence[Mapping[str, Any]]
    ids: pa.StringArray  # (N,)
    raw: Callable[[int], bytes]
    refused: tuple[Refused, ...] = ()  # what the source itself could not read

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """Hold what a mapping made of records: one row for each that it could map, in their order."""

    table: pa.Table  # columns by the mapping's names
    record: NDArray[np.int64]  # (M,) index of each row's record
    refused: tuple[Refused, ...]
    raw: Callable[[int], bytes] | None = None  # the bytes of a record, by its index, as `Records` has them
    sent: NDArray[np.int64] | None = None  # (M,) when each row's message was sent, in microseconds

    def sent_at(self, moment: datetime) -> Mapped:
        """Return the same rows as of messages that were all sent at one moment."""
        return replace(self, sent=np.full(len(self.record), epoch_ms(moment) * 1000))
