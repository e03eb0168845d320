"""A measure of how far a column's distribution is from an expected one: the Kullback-Leibler divergence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.distinct import Values
from validation.rules.numbers import numbers
from validation.rules.partitions import Bins, Categories, read_partition
from validation.rules.rule import Arguments, Kind, Measure, Observed

_Share = Annotated[float, Field(ge=0, le=1)]
_Floats = NDArray[np.float64]


class DivergenceArguments(Arguments):
    """Hold the kwargs of kl_divergence_to_be_less_than. The library reads neither of the last two."""

    column: str
    partition_object: Mapping[str, Any] | None = None
    threshold: Annotated[float, Field(ge=0)] | None = None
    tail_weight_holdout: _Share = 0.0
    internal_weight_holdout: _Share = 0.0
    bucketize_data: bool = True
    min_value: Any = None
    max_value: Any = None


def _divergence(arguments: DivergenceArguments, columns: Columns) -> Measure:
    partition = read_partition(arguments.partition_object)
    if isinstance(partition, Categories):
        return _of_categories(arguments, partition, columns)
    return _of_bins(arguments, partition, columns)


def _of_categories(arguments: DivergenceArguments, partition: Categories, columns: Columns) -> Measure:
    if arguments.internal_weight_holdout > 0:
        raise SuiteError("internal_weight_holdout is for bins, not for values.", hint="Leave it out.")
    column, holdout = arguments.column, arguments.tail_weight_holdout
    values = Values.of(column, columns)
    matched = values.match(list(partition.values))
    if len(matched) < len(partition.values):
        raise SuiteError("partition_object has a value twice.", hint="Give each value one weight.")
    weights = dict(zip(matched, partition.weights, strict=True))
    counted = values.expression.alias("value").value_counts(name="count").implode()

    def judge(found: Mapping[str, Any]) -> Observed:
        counts = {row["value"]: row["count"] for row in found["counts"]}
        total = sum(counts.values())
        keys = {value: held[0] if len(held) else None for value, held in matched.items()}
        unknown = sorted(set(counts) - {key for key in keys.values() if key is not None})
        observed = [counts.get(key, 0) / total if total else 0.0 for key in keys.values()]
        observed += [counts[value] / total for value in unknown]
        scale = 1 - holdout if unknown else 1.0
        expected = [weight * scale for weight in weights.values()]
        expected += [holdout / len(unknown) for _ in unknown]
        names = [*weights, *unknown]
        return _judge(
            arguments.threshold,
            _entropy(observed, expected),
            {"values": names, "weights": observed},
            {"values": names, "weights": expected},
        )

    return Measure(f"divergence({column})", column, {"counts": counted}, judge)


def _of_bins(arguments: DivergenceArguments, partition: Bins, columns: Columns) -> Measure:
    holdout, internal = arguments.tail_weight_holdout, arguments.internal_weight_holdout
    if not arguments.bucketize_data:
        raise SuiteError("partition_object has bins, and bucketize_data is false.", hint="Leave it out.")
    inner, tails = partition.expected(holdout, internal)
    column, edges = arguments.column, partition.bins
    values = numbers(column, columns, "bins")
    expressions = {
        "count": values.count(),
        "reached": pl.concat_list(*[(values >= edge).sum() for edge in edges], (values > edges[-1]).sum()),
    }

    def judge(found: Mapping[str, Any]) -> Observed:
        count, reached = found["count"], found["reached"]
        *starts, _, above = reached
        # The last bin has its right end, too.
        histogram = [first - second for first, second in zip(starts, [*starts[1:], above], strict=True)]
        shares = [held / count if count else math.nan for held in (count - reached[0], *histogram, above)]
        seen, seen_tails = partition.split(shares)
        return _judge(
            arguments.threshold,
            _entropy([seen_tails[0], *seen, seen_tails[1]], [tails[0], *inner, tails[1]]),
            {"bins": partition.finite, "weights": seen, "tail_weights": seen_tails},
            {"bins": partition.finite, "weights": inner, "tail_weights": tails},
        )

    return Measure(f"divergence({column})", column, expressions, judge)


def _judge(
    threshold: float | None, divergence: float, observed: dict[str, Any], expected: dict[str, Any]
) -> Observed:
    success = threshold is None or divergence <= threshold
    details = {"observed_partition": _without_nan(observed), "expected_partition": expected}
    return Observed(success, divergence if math.isfinite(divergence) else None, details)


def _without_nan(partition: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value

    return {name: [plain(value) for value in held] for name, held in partition.items()}


def _entropy(observed: Sequence[float], expected: Sequence[float]) -> float:
    """Return the entropy of what was observed relative to what was expected, both brought to a sum of 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, asked = _shares(observed), _shares(expected)
        if not (np.isfinite(seen).all() and np.isfinite(asked).all()):
            return math.nan
        if (asked[seen > 0] == 0).any():
            return math.inf
        there = seen > 0
        return float((seen[there] * np.log(seen[there] / asked[there])).sum())


def _shares(weights: Sequence[float]) -> _Floats:
    held = np.asarray(weights, np.float64)
    shares: _Floats = held / held.sum()
    return shares


DIVERGENCE_KINDS = (Kind("expect_column_kl_divergence_to_be_less_than", DivergenceArguments, _divergence),)
