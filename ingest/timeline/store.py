"""The payload of what is held: tables as they came, and packed anew when most of their rows have gone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

_MOST_TABLES = 64
_SPARE_ROWS = 8192


class Store:
    """Hold rows under numbers that stay until `pack` gives new ones."""

    def __init__(self, table: pa.Table) -> None:
        self._tables = [table]
        self._rows: int = table.num_rows

    def add(self, table: pa.Table) -> int:
        """Hold a table; return the number of its first row."""
        first = self._rows
        if table.num_rows:
            self._tables.append(table)
            self._rows += table.num_rows
        return first

    @property
    def table(self) -> pa.Table:
        """All rows, by their numbers."""
        return pa.concat_tables(self._tables)

    def is_sparse(self, live: int) -> bool:
        """Say whether so few of the rows are needed that packing pays."""
        return len(self._tables) > _MOST_TABLES or self._rows > 2 * live + _SPARE_ROWS

    def pack(self, live: Sequence[int]) -> dict[int, int]:
        """Keep these rows only; return the new number of each."""
        kept = np.unique(np.array(live, np.int64))
        # A copy even where all stay: a slice would keep the whole of what it was cut from.
        self._tables = [self.table.take(pa.array(kept)).combine_chunks()]
        self._rows = len(kept)
        return {row: place for place, row in enumerate(kept.tolist())}
