"""Vectors: a row of numbers put together of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.mapping.batches import Batch
from ingest.mapping.made import Block, Made, Part, fields_of_all, nowhere
from ingest.mapping.targets import Row


@dataclass(frozen=True, slots=True, eq=False)
class VectorMaker:
    """Put the parts side by side. A vector whose every field is missing is missing; one of them is bad."""

    parts: tuple[Part, ...]
    target: Row

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return fields_of_all(self.parts)

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        widths = self._widths()
        blocks = [part.block(batch, width) for part, width in zip(self.parts, widths, strict=True)]
        numbers = np.empty((len(batch), self.target.size), self._held())
        place = 0
        for block, width in zip(blocks, widths, strict=True):
            numbers[:, place : place + width] = block.numbers
            place += width
        bad, missing = self._faults(blocks, len(batch))
        array = self._array(numbers, bad | missing)

        def why(row: int) -> str:
            for part, block in zip(self.parts, blocks, strict=True):
                if block.bad[row]:
                    return block.why(row)
                if block.missing[row]:
                    return f"{part.name} is missing"
            return ""

        return Made(array, bad, missing, why)

    def _widths(self) -> list[int]:
        rest = self.target.size - sum(part.width or 0 for part in self.parts)
        return [rest if part.width is None else part.width for part in self.parts]

    def _faults(self, blocks: Sequence[Block], length: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        bad, some = nowhere(length), nowhere(length)
        every = np.ones(length, np.bool_)
        reading = False
        for part, block in zip(self.parts, blocks, strict=True):
            bad |= block.bad
            if part.fields:
                reading = True
                some |= block.missing
                every &= block.missing
        missing = every & ~bad if reading else nowhere(length)
        return bad | (some & ~missing), missing

    def _held(self) -> Any:
        type_ = self.target.element.type
        return np.bool_ if pa.types.is_boolean(type_) else np.dtype(type_.to_pandas_dtype())

    def _array(self, numbers: NDArray[Any], null: NDArray[np.bool_]) -> pa.Array:
        mask = pa.array(null) if null.any() else None
        offsets = np.arange(len(numbers) + 1, dtype=np.int64) * self.target.size
        if self.target.as_bytes:
            rows = [None if gone else row.tobytes() for row, gone in zip(numbers, null.tolist(), strict=True)]
            return pa.array(rows, pa.binary())
        flat = pa.array(numbers.reshape(-1), self.target.element.type)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, mask=mask)
