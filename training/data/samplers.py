"""Samplers: which rows the next update reads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Batch = Mapping[str, Tensor]  # columns of equal length, on one device


class UniformSampler:
    """Draw rows with replacement, each alike likely; fewer rows than a batch are therefore no hindrance.

    All draws come from `generator`, which must live on the device of the columns: nothing is copied to
    or from the host, and the global random state stays as it is.
    """

    def __init__(self, columns: Batch, batch_size: int, generator: torch.Generator) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ValueError(f"the columns to sample from have the lengths {lengths}")
        self._columns = dict(columns)
        self._rows = next(iter(lengths.values()))
        self._batch_size = batch_size
        self._generator = generator

    def sample(self) -> dict[str, Tensor]:
        """Return the columns of `batch_size` rows, in the order drawn."""
        rows = torch.randint(
            self._rows, (self._batch_size,), generator=self._generator, device=self._generator.device
        )
        return {name: column.index_select(0, rows) for name, column in self._columns.items()}
