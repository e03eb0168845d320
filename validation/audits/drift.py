"""Drift: whether experience is still like that of a clean reference, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.drift_findings import (
    percent,
    tell_gone_category,
    tell_ks,
    tell_new_category,
    tell_psi,
    tell_range,
)
from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.audits.groups import row_groups
from validation.audits.leaves import categorical_leaves, column_of, numeric_leaves, table_of
from validation.audits.psi import bin_edges, bin_of
from validation.expectation import Severity

_Leaf = TypeVar("_Leaf")

_FEWEST = 50  # rows with a value, on both sides
_PER_BIN = 20  # values, on both sides, to compare bins
_MOST_CATEGORIES = 50  # a text of more different ones is an id, or a language
_NEW_IS_USUAL = ("policy_version",)


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """Say how large a change must be before it is told; chance comes on top, as measured between episodes."""

    psi: float = 0.2  # of it, beyond three times what is expected without drift
    ks: float = 0.1  # the difference of shares,
    ks_chance: float = 1e-6  # and how unlikely it must be without drift
    beyond: float = 0.002  # share of rows beyond what the reference lets expect
    nulls: float = 0.05  # change of the share of nulls; where there were none, `beyond`
    categories: float = 0.001  # share of rows with categories that the reference has not


DEFAULT_LIMITS = DriftLimits()


def check_drift(
    reference: pa.Table | pl.DataFrame,
    current: pa.Table | pl.DataFrame,
    spec: ArchiveSpec | None = None,
    *,
    columns: Sequence[str] | None = None,
    limits: DriftLimits = DEFAULT_LIMITS,
) -> list[Finding]:
    """Compare steps with clean ones; return a finding for each leaf and each way in which it changed.

    Checks are `psi`, `ks`, `range`, `nulls`, `new_category` and `gone_category`. A leaf of which either side
    has fewer than 50 values is compared by its nulls only, and one of fewer than 20 for each bin by no index;
    a single episode cannot tell a change from chance.
    """
    sides = _Sides(table_of(reference), table_of(current), spec, columns, limits)
    return [*sides.nulls(), *sides.numbers(), *sides.categories()]


class _Sides:
    """Hold both tables, the groups of their rows, and make findings of what differs."""

    def __init__(
        self,
        before: pa.Table,
        now: pa.Table,
        spec: ArchiveSpec | None,
        columns: Sequence[str] | None,
        limits: DriftLimits,
    ) -> None:
        self._before, self._now, self._limits = before, now, limits
        self._old_groups, self._new_groups = row_groups(before), row_groups(now)
        self._named = [categorical_leaves(table, spec, columns) for table in (before, now)]
        self._counted = [numeric_leaves(table, spec, columns) for table in (before, now)]

    def numbers(self) -> Iterator[Finding]:
        """Compare what has an order."""
        for leaf, old, new in _pairs(*self._counted):
            if leaf in self._named[0]:
                continue
            had, has = np.isfinite(old), np.isfinite(new)
            if min(had.sum(), has.sum()) < _FEWEST:
                continue
            groups = self._old_groups[had], self._new_groups[has]
            limits = self._limits
            yield from tell_range(leaf, old[had], new, groups[0], self._new_groups, self._now, limits.beyond)
            yield from tell_ks(leaf, old[had], new[has], groups, limits.ks, limits.ks_chance)
            edges = bin_edges(old[had])
            if min(had.sum(), has.sum()) < _PER_BIN * len(edges):
                continue  # a bin that is empty by chance weighs too much
            codes = bin_of(old[had], edges), bin_of(new[has], edges)
            yield from tell_psi(leaf, codes, len(edges) + 1, groups, limits.psi)

    def categories(self) -> Iterator[Finding]:
        """Compare what has none."""
        for leaf, old, new in _pairs(*self._named):
            known = old.drop_nulls().unique(maintain_order=True)
            if not 0 < len(known) <= _MOST_CATEGORIES:
                continue
            numbers = dict(zip(known.to_list(), range(len(known)), strict=True))
            codes = [
                side.replace_strict(numbers, default=len(known), return_dtype=pl.Int64).to_numpy()
                for side in (old, new)
            ]
            held = [side.is_not_null().to_numpy() for side in (old, new)]
            usual, limits = leaf in _NEW_IS_USUAL, self._limits
            fresh = held[1] & (codes[1] == len(known))
            severity: Severity = "info" if usual else "warning"
            yield from tell_new_category(leaf, new, fresh, self._now, limits.categories, severity)
            if usual or min(side.sum() for side in held) < _FEWEST:
                continue
            shares = np.bincount(codes[0][held[0]], minlength=len(known)) / held[0].sum()
            there = np.bincount(codes[1][held[1]], minlength=len(known))
            yield from tell_gone_category(leaf, known, shares, there)
            groups = self._old_groups[held[0]], self._new_groups[held[1]]
            chosen = codes[0][held[0]], codes[1][held[1]]
            yield from tell_psi(leaf, chosen, len(known) + 1, groups, limits.psi)

    def nulls(self) -> Iterator[Finding]:
        """Compare how often a column has no value."""
        leaves = [{**self._counted[side], **self._named[side]} for side in (0, 1)]
        for column in dict.fromkeys(column_of(leaf) for leaf in leaves[1]):
            if column not in self._before.column_names or column not in self._now.column_names:
                continue
            old, new = (_missing(table[column]) for table in (self._before, self._now))
            if min(len(old), len(new)) < _FEWEST:
                continue
            change = float(new.mean() - old.mean())
            limit = self._limits.nulls if old.any() else self._limits.beyond
            if not change or abs(change) < limit:
                continue
            yield Finding(
                "drift",
                "nulls",
                column,
                "warning",
                f"{percent(new.mean())} of the rows have no {column}, of the reference "
                f"{percent(old.mean())}.",
                count=int(new.sum()),
                total=len(new),
                value=change,
                threshold=limit,
                examples=row_examples(self._now, np.flatnonzero(new), {}) if change > 0 else (),
            )


def _pairs(before: Mapping[str, _Leaf], now: Mapping[str, _Leaf]) -> Iterator[tuple[str, _Leaf, _Leaf]]:
    return ((leaf, before[leaf], now[leaf]) for leaf in now if leaf in before)


def _missing(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    if pa.types.is_floating(column.type):
        return np.asarray(np.isnan(column.to_numpy()))  # which turns nulls into NaN
    return np.asarray(column.is_null())
