"""Outliers: rows that lie far from where the others are, by one number at a time or by whole vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.audits.forest import judge_vectors
from validation.audits.leaves import Numbers, categorical_leaves, numeric_leaves, table_of
from validation.audits.scales import Judged, judge_values

Method = Literal["mad", "zscore", "iqr", "isolation_forest"]

_AT_ENDS = ("reward", "discount")  # which say something else where an episode ends


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """Hold what is far off: by leaf (by vector for the isolation forest), by row, and as findings."""

    method: Method
    scores: Mapping[str, Numbers]  # NaN where nothing was judged
    masks: Mapping[str, NDArray[np.bool_]]
    rows: NDArray[np.bool_]
    findings: tuple[Finding, ...]


def detect_outliers(
    table: pa.Table | pl.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    spec: ArchiveSpec | None = None,
    method: Method = "mad",
    threshold: float | None = None,
    reference: pa.Table | pl.DataFrame | None = None,
) -> Outliers:
    """Find rows that lie far from the others, or from those of a clean reference.

    `threshold` is the least score of an outlier, in the method's units. None is the method's own; with a
    reference it is what the reference itself reaches, and half as much again. Constant columns, categories
    and values that are not finite have no outliers. Rewards and discounts of rows that terminate are
    compared with each other only. Raise UsageError for a method that is none.
    """
    if method not in get_args(Method):
        raise UsageError(f"There is no method {method!r}.", hint=f"There are: {', '.join(get_args(Method))}.")
    if threshold is not None and not threshold > 0:
        raise UsageError(f"The threshold {threshold} is not above 0.", hint="Leave it out for the usual one.")
    steps = table_of(table)
    before = steps.slice(0, 0) if reference is None else table_of(reference)
    given, known = _ordered_leaves(steps, spec, columns), _ordered_leaves(before, spec, columns)
    has_reference = reference is not None
    if method == "isolation_forest":
        judged = judge_vectors(given, known if has_reference else None, threshold)
    else:
        ends, ends_before = _ends(steps), _ends(before)
        judged = {}
        for leaf, values in given.items():
            apart = leaf in _AT_ENDS
            groups = ends if apart else np.zeros(len(ends), np.bool_)
            old_groups = ends_before if apart else np.zeros(len(ends_before), np.bool_)
            old = known.get(leaf) if has_reference else None
            judged[leaf] = judge_values(
                values, old, method, threshold, groups, old_groups, habits=leaf in _AT_ENDS
            )
    return _collect(steps, method, given, judged)


def _ordered_leaves(
    steps: pa.Table, spec: ArchiveSpec | None, columns: Sequence[str] | None
) -> dict[str, Numbers]:
    """Return the numbers for which near and far mean something: a category's do not."""
    named = categorical_leaves(steps.slice(0, 0), spec, columns)
    return {leaf: held for leaf, held in numeric_leaves(steps, spec, columns).items() if leaf not in named}


def _ends(steps: pa.Table) -> NDArray[np.bool_]:
    if "terminated" not in steps.column_names or not pa.types.is_boolean(steps["terminated"].type):
        return np.zeros(steps.num_rows, np.bool_)
    return np.asarray(steps["terminated"].fill_null(False)).astype(np.bool_)


def _collect(
    steps: pa.Table, method: Method, given: Mapping[str, Numbers], judged: Mapping[str, Judged]
) -> Outliers:
    rows = np.zeros(steps.num_rows, np.bool_)
    findings = []
    for leaf, one in judged.items():
        rows |= one.mask
        if not one.mask.any():
            continue
        found = np.flatnonzero(one.mask)
        worst = found[np.argsort(-one.scores[found], kind="stable")]
        figures = {"score": one.scores} | ({"value": given[leaf]} if leaf in given else {})
        top = float(one.scores[worst[0]])
        findings.append(
            Finding(
                audit="outliers",
                check=method,
                column=leaf,
                severity="warning",
                message=f"{len(found)} of {steps.num_rows} rows have a {leaf} far from the others: "
                f"up to {_told(top)} by {method}, where {_told(one.threshold)} is the limit.",
                count=len(found),
                total=steps.num_rows,
                value=top if np.isfinite(top) else None,
                threshold=one.threshold,
                examples=row_examples(steps, worst, figures),
            )
        )
    scores = {leaf: one.scores for leaf, one in judged.items()}
    masks = {leaf: one.mask for leaf, one in judged.items()}
    return Outliers(method, scores, masks, rows, tuple(findings))


def _told(figure: float) -> str:
    return f"{figure:.4g}" if np.isfinite(figure) else "any measure"
