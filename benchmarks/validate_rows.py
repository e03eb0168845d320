"""Rows and rules for the benchmarks of validation: one suite, in our words and in those of our peers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from validation import Suite

_WRONG = 100  # one row in so many breaks a rule
_WORDS = ["north", "south", "east", "west"]
_CODES = "^[a-z]+-[0-9]{1,6}$"
_FLOATS = ("a", "b", "c", "d")
_KEY = "column_values_to_"


def make_rows(rows: int) -> pl.DataFrame:
    """Return rows with ten plain columns, of which about one in a hundred breaks each rule."""
    random = np.random.default_rng(0)
    floats = {name: random.uniform(-1, 1, rows) for name in _FLOATS}
    for values in floats.values():
        values[random.random(rows) < 1 / _WRONG] = 7.0
    low = random.integers(0, 1000, rows)
    words = np.array([*_WORDS, "up"])
    shares = [*[(1 - 1 / _WRONG) / len(_WORDS)] * len(_WORDS), 1 / _WRONG]
    codes = np.char.add("run-", random.integers(0, 100_000, rows).astype(str))
    codes[random.random(rows) < 1 / _WRONG] = "run 7"
    return pl.DataFrame(
        {
            **floats,
            "low": low,
            "high": low + 1 - 2 * (random.random(rows) < 1 / _WRONG),
            "step": np.arange(rows) % 500,
            "word": random.choice(words, rows, p=shares),
            "code": codes,
            "seen": pl.Series(random.random(rows)).set(pl.Series(random.random(rows) < 1 / _WRONG), None),
        }
    )


def make_suite() -> Suite:
    """Return the suite: twelve rules that every peer knows, too."""
    rules = [
        *(_rule("be_between", column=name, min_value=-1, max_value=1) for name in _FLOATS),
        _rule("be_between", column="step", min_value=0, max_value=498),
        *(_rule("not_be_null", column=name) for name in ("seen", "a", "word", "code")),
        _rule("be_in_set", column="word", value_set=_WORDS),
        _rule("match_regex", column="code", regex=_CODES),
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b",
            "kwargs": {"column_A": "high", "column_B": "low"},
        },
    ]
    return Suite.from_dict({"name": "bench", "expectations": rules})


def great_expectations(rows: pl.DataFrame) -> Callable[[], object]:
    """Return what judges the rows by the same suite, compiled by the library before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batches = asset.add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite(**make_suite().to_dict())
    frame = rows.to_pandas()

    def judge() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return batches.get_batch({"dataframe": frame}).validate(suite, result_format="SUMMARY")

    return judge


def pandera(rows: pl.DataFrame) -> Callable[[], object]:
    """Return what judges the rows by the same rules, every failure collected."""
    import pandera.polars as pa

    ordered = pa.Check(lambda data: data.lazyframe.select(pl.col("high") > pl.col("low")))
    columns: dict[str, Any] = {name: pa.Column(float, pa.Check.in_range(-1, 1)) for name in _FLOATS}
    columns |= {
        "step": pa.Column(int, pa.Check.in_range(0, 498)),
        "seen": pa.Column(float, nullable=False),
        "word": pa.Column(str, pa.Check.isin(_WORDS)),
        "code": pa.Column(str, pa.Check.str_matches(_CODES)),
    }
    schema = pa.DataFrameSchema(columns, checks=[ordered])

    def judge() -> object:
        try:
            return schema.validate(rows, lazy=True)
        except pa.errors.SchemaErrors as found:
            return found

    return judge


def pointblank(rows: pl.DataFrame) -> Callable[[], object]:
    """Return what judges the rows by the same rules."""
    import pointblank

    def judge() -> object:
        plan = pointblank.Validate(rows)
        for name in _FLOATS:
            plan = plan.col_vals_between(name, -1, 1)
        return (
            plan.col_vals_between("step", 0, 498)
            .col_vals_not_null(["seen", "a", "word", "code"])
            .col_vals_in_set("word", _WORDS)
            .col_vals_regex("code", _CODES)
            .col_vals_gt("high", pointblank.col("low"))
            .interrogate()
        )

    return judge


def _rule(verb: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{_KEY}{verb}", "kwargs": kwargs}
