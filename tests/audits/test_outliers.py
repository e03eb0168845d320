"""Outliers are the rows that were made so, and no clean ones."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UsageError
from tests.audits.experience import POLICIES, played, with_elements, with_values
from validation.audits.outliers import Method, detect_outliers

ROWS = 3000
METHODS = get_args(Method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("environment", POLICIES)
def test_fewer_than_one_clean_row_in_a_thousand_is_one(environment: str, method: Method) -> None:
    clean, others = played(environment, ROWS), played(environment, ROWS, seed=1)
    alone = detect_outliers(clean.steps, spec=clean.spec, method=method)
    compared = detect_outliers(others.steps, spec=clean.spec, method=method, reference=clean.steps)
    assert alone.rows.sum() < ROWS / 1000 and compared.rows.sum() < ROWS / 1000


@pytest.mark.parametrize("method", ["mad", "zscore", "iqr"])
@pytest.mark.parametrize("environment", POLICIES)
def test_another_unit_in_some_rows_is_found_by_its_element(environment: str, method: Method) -> None:
    clean, others = played(environment, ROWS), played(environment, ROWS, seed=1)
    wrong = np.random.default_rng(0).random(ROWS) < 0.05

    def scale(values: Any) -> Any:
        values[wrong, 1] *= 100.0
        return values

    steps = with_elements(others.steps, "observation", scale)
    found = detect_outliers(steps, spec=clean.spec, method=method, reference=clean.steps)
    (finding,) = found.findings
    assert finding.column == "observation[1]" and finding.check == method
    assert not (found.rows & ~wrong).any()
    assert found.rows.sum() > 0.4 * wrong.sum()
    example = finding.examples[0]
    assert example["value"] == found_value(steps, example["row"]) and example["episode_id"].startswith("1-")


def found_value(steps: pa.Table, row: int) -> float:
    return float(steps["observation"][row].as_py()[1])


def test_vectors_that_are_odd_together_only_are_found_by_the_forest() -> None:
    rng = np.random.default_rng(0)
    line = rng.uniform(-3, 3, 2000)
    vectors = np.stack([line, line + 0.01 * rng.standard_normal(2000)], axis=1)
    vectors[:5] = [2.9, -2.9]
    steps = pa.table({"observation": pa.array(vectors.tolist())})
    assert not detect_outliers(steps).rows.any()
    found = detect_outliers(steps, method="isolation_forest", threshold=0.68)
    assert np.flatnonzero(found.rows).tolist() == [0, 1, 2, 3, 4]
    assert [finding.column for finding in found.findings] == ["observation"]
    again = detect_outliers(steps, method="isolation_forest", threshold=0.68)
    np.testing.assert_array_equal(found.scores["observation"], again.scores["observation"])


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=30, max_size=80),
    st.sampled_from([0.5, 2.0, 1024.0]),
    st.integers(-8, 8),
)
def test_neither_unit_nor_zero_point_makes_an_outlier(values: list[float], unit: float, zero: int) -> None:
    held = np.round(np.array(values), 3)
    first = detect_outliers(pl.DataFrame({"x": held}), threshold=4.0).masks["x"]
    second = detect_outliers(pl.DataFrame({"x": held * unit + zero * 1024.0 * unit}), threshold=4.0).masks[
        "x"
    ]
    scores = detect_outliers(pl.DataFrame({"x": held}), threshold=4.0).scores["x"]
    certain = np.abs(scores - 4.0) > 1e-6  # rounding may decide the others
    np.testing.assert_array_equal(first[certain], second[certain])


@pytest.mark.parametrize("method", METHODS)
def test_columns_that_are_constant_empty_or_short_have_none(method: Method) -> None:
    columns = {"same": [2.5] * 100, "none": [None] * 100, "other": [1.0] * 100}
    steps = pa.table({**columns, "none": pa.array([None] * 100, pa.float64())})
    assert not detect_outliers(steps, method=method).rows.any()
    assert not detect_outliers(steps.slice(0, 0), method=method).rows.any()
    assert not detect_outliers(pa.table({"x": [0.0, 1e9]}), method=method).rows.any()
    wild = pa.table({"x": [*np.arange(100.0).tolist(), float("inf"), float("nan")]})
    assert not detect_outliers(wild, method=method).rows.any()


def test_where_most_values_are_one_the_mean_deviation_stands_in() -> None:
    mostly = np.ones(10_000)
    mostly[:4] = [9.0, 9.1, 9.2, 9.3]
    assert np.flatnonzero(detect_outliers(pa.table({"reward": mostly})).rows).tolist() == [0, 1, 2, 3]
    # What one row in ten does is a habit, whatever the median says.
    mostly[:1000] = np.linspace(2, 40, 1000)
    assert not detect_outliers(pa.table({"reward": mostly})).rows.any()


def test_a_bonus_at_the_end_is_compared_with_others() -> None:
    clean = played("MountainCarContinuous-v0", ROWS)
    rewards = np.array(clean.steps["reward"])
    assert rewards.max() > 99
    swapped = with_values(clean.steps, "terminated", [False] * ROWS)
    assert detect_outliers(swapped, spec=clean.spec).findings[0].column == "reward"


def test_what_a_reference_never_had_is_one_though_it_was_constant() -> None:
    before = pa.table({"reward": [1.0] * 50})
    after = pa.table({"reward": [1.0, 1.0 + 1e-9, 5.0]})
    found = detect_outliers(after, reference=before)
    assert found.rows.tolist() == [False, False, True]
    assert found.findings[0].value is None and "any measure" in found.findings[0].message


def test_a_method_or_threshold_that_is_none_is_refused() -> None:
    steps: Any = pa.table({"x": [1.0]})
    method: Any = "guess"
    with pytest.raises(UsageError, match="no method 'guess'"):
        detect_outliers(steps, method=method)
    with pytest.raises(UsageError, match="not above 0"):
        detect_outliers(steps, threshold=-1.0)
