"""The one table of expectation types. A new kind is its file, its line here, and its test."""

from __future__ import annotations

from collections.abc import Mapping

from validation.rules.comparisons import COMPARISON_KINDS
from validation.rules.custom import CUSTOM_KINDS
from validation.rules.distinct import DISTINCT_KINDS
from validation.rules.divergence import DIVERGENCE_KINDS
from validation.rules.experience import EXPERIENCE_KINDS
from validation.rules.formats import FORMAT_KINDS
from validation.rules.moments import MOMENT_KINDS
from validation.rules.nulls import NULL_KINDS
from validation.rules.outliers import OUTLIER_KINDS
from validation.rules.pairs import PAIR_KINDS
from validation.rules.quantiles import QUANTILE_KINDS
from validation.rules.rule import Kind
from validation.rules.sequences import SEQUENCE_KINDS
from validation.rules.sets import SET_KINDS
from validation.rules.tables import TABLE_KINDS
from validation.rules.texts import TEXT_KINDS
from validation.rules.types import TYPE_KINDS
from validation.rules.uniqueness import UNIQUENESS_KINDS

BUILT_IN: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *NULL_KINDS,
        *COMPARISON_KINDS,
        *SET_KINDS,
        *TEXT_KINDS,
        *FORMAT_KINDS,
        *TYPE_KINDS,
        *PAIR_KINDS,
        *CUSTOM_KINDS,
        *MOMENT_KINDS,
        *QUANTILE_KINDS,
        *DISTINCT_KINDS,
        *DIVERGENCE_KINDS,
        *SEQUENCE_KINDS,
        *OUTLIER_KINDS,
        *UNIQUENESS_KINDS,
        *TABLE_KINDS,
        *EXPERIENCE_KINDS,
    )
}
