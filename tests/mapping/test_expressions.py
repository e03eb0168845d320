"""Expressions: what may be said, what may not, and that each row stands alone."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from schemas.errors import UsageError
from schemas.expressions import Expression, fields_of, parse_expression

HOSTILE = [
    "",
    "   ",
    "a",
    "col",
    "1 +",
    "__import__('os')",
    "import os",
    "().__class__.__bases__",
    'col("a").__class__',
    'col("a").__class__.__init__.__globals__',
    'col("a")._pyexpr',
    'col("a").meta.serialize()',
    "lambda: 1",
    "(lambda: 1)()",
    "[x for x in (1, 2)]",
    "{x: 1 for x in (1,)}",
    'f"{1}"',
    'f"{col("a")}"',
    "(x := 1)",
    "x = 1",
    'col("a"); col("b")',
    'open("/etc/passwd")',
    'eval("1")',
    "exec('1')",
    "getattr(col('a'), 'sum')()",
    'pl.read_csv("x")',
    'pl.scan_parquet("x")',
    "pl.sql('select 1')",
    "pl.Expr.deserialize('x')",
    "pl.functions.col('a')",
    "pl.element()",
    "pl.all()",
    'col("*")',
    'col("^.*$")',
    'col("a", "b")',
    'col(["a", "b"])',
    'col(col("a"))',
    'col(name="a")',
    'col(*["a"])',
    'col("")',
    'col("a").map_elements(print)',
    'col("a").map_batches(print)',
    'col("a").pipe(print)',
    'col("a").inspect()',
    'col("a").sum()',
    'col("a").mean()',
    'col("a").first()',
    'col("a").shift(1)',
    'col("a").over("b")',
    'col("a").sort()',
    'col("a").cum_sum()',
    'col("a").rolling_mean(2)',
    'col("a").is_unique()',
    'col("a").is_duplicated()',
    'col("a").rank()',
    'col("a").sample(1)',
    'col("a").shuffle()',
    'col("a").filter(col("b"))',
    'col("a").head(1)',
    'col("a").len()',
    'col("a").explode()',
    'col("a").implode()',
    'col("a").reshape((1,))',
    'col("a").repeat_by(1000000000)',
    'col("a").fill_null(strategy="forward")',
    'col("a").forward_fill()',
    'col("a").is_in(col("b"))',
    'col("a").is_in([col("b")])',
    'col("a").hash()',
    'col("a").alias("b")',
    'col("a").str.to_datetime()',
    'col("a").str.to_datetime(None)',
    'col("a").str.json_decode()',
    'col("a").str.to_decimal()',
    'col("a").str.join(",")',
    'col("a").list.eval(col("b"))',
    'col("a").list.sample(1)',
    'col("a").struct.with_fields(col("b"))',
    'col("a").replace(col("b"), 1)',
    'col("a").replace_strict({"a": 1})',
    'col("a").str.contains("(")',
    'col("a").str.contains(col("b"))',
    'col("a").str.contains("(a{1000}){1000}")',
    'col("a").str.pad_start(10000000000)',
    'col("a").str.zfill(100000)',
    'col("a").cast(int)',
    'col("a").cast("Float64")',
    'col("a").cast(pl.Object)',
    'col("a").cast(Float64, strict=False)',
    'col("a").cast(**{"dtype": Float64})',
    'col("a") and col("b")',
    'not col("a")',
    '1 if col("a") else 2',
    'col("a") < col("b") < col("c")',
    'col("a") in [1]',
    'col("a") is None',
    'col("a")[0]',
    'col("a") @ col("b")',
    'col("a") << 2',
    "1j",
    'b"bytes"',
    "...",
    "10 ** 30 * 1000000000000000000000000",
    "when(col('a'))",
    "when(col('a')).otherwise(1)",
    "when(col('a')).then(1).then(2)",
    "when(col('a')).then('end')",
    "when(a=1).then(1)",
    "coalesce()",
    "coalesce('a', 'b')",
    "concat_str(col('a'), 'x')",
    "lit(col('a'))",
    "lit([1, 2])",
    "yield 1",
    "await col('a')",
    "*col('a')",
    '"\ud800"',
    'col("a\\x00".join([]))',
    "(" * 300 + "1" + ")" * 300,
    "-" * 3000 + "1",
    "~" * 60 + 'col("a")',
    "col('a')" + ".abs()" * 60,
    "1" + " + 1" * 2000,
    'col("a")' + '.str.replace_all("", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")' * 4,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_word_of_an_expression_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_expression(text)


FRAME = {
    "i": st.none() | st.integers(-5, 5),
    "f": st.none() | st.floats(-3, 3) | st.sampled_from([float("nan"), float("inf")]),
    "s": st.none() | st.sampled_from(["a", "Bc", "", "12", "1.5", "2026-01-02 03:04:05", "é"]),
    "b": st.none() | st.booleans(),
    "l": st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3),
}
TYPES: dict[str, Any] = {
    "i": pl.Int64,
    "f": pl.Float64,
    "s": pl.String,
    "b": pl.Boolean,
    "l": pl.List(pl.Int64),
}
ALLOWED = [
    'col("i") + 1',
    "1",
    'lit("x")',
    'col("i") * 0.5 - col("f")',
    'col("i") // 2 + col("i") % 3',
    'col("f") ** 2',
    'col("f").pow(col("f"))',
    '-col("i") / col("f")',
    '(col("i") > 0) & ~col("b") | (col("s") == "a")',
    'col("i") == col("f")',
    'col("s").cast(Float64)',
    'col("s").cast(pl.Int64).fill_null(-1)',
    'col("s").str.to_integer()',
    'col("s").str.to_datetime("%Y-%m-%d %H:%M:%S", time_zone="Europe/Berlin").dt.timestamp("ms")',
    'col("s").str.to_date("%Y-%m-%d %H:%M:%S")',
    'col("s").str.to_lowercase() + lit("x")',
    'col("s").str.contains(r"^\\d+$")',
    'col("s").str.extract(r"(\\d)", 1)',
    'col("s").str.replace_all("a", "bb").str.len_chars()',
    'col("s").str.split("-").list.get(1)',
    'col("s").str.strip_chars(" ").str.starts_with("a")',
    'col("s").str.zfill(8).str.slice(2, 3)',
    'col("s").is_in(["a", "12"])',
    'col("s").replace({"a": "z"})',
    'col("s").replace_strict({"a": 1, "12": 2}, default=0)',
    'col("i").is_in([1, 2])',
    'col("i").is_between(0, 2, closed="left")',
    'col("i").clip(-1, 1).abs()',
    'col("f").round(1).fill_nan(0).is_finite()',
    'col("f").is_null() | col("f").is_nan()',
    'col("f").fill_null(col("i"))',
    'col("f").exp().log1p().sqrt()',
    'col("f").log(2)',
    'col("l").list.sum() + col("l").list.len()',
    'col("l").list.get(1)',
    'col("l").list.contains(2)',
    'when(col("i") > 0).then(lit("up")).when(col("i") < 0).then(lit("down")).otherwise(col("s"))',
    'when(col("b")).then(col("f"))',
    'coalesce(col("i"), col("f"), 0)',
    'concat_str(col("s"), col("i"), separator="/")',
    'max_horizontal(col("i"), col("f")) - min_horizontal(col("i"), 0)',
    'sum_horizontal(col("i"), col("f"), ignore_nulls=False)',
    'any_horizontal(col("b"), col("i") > 1)',
    'pl.when(pl.col("b")).then(1).otherwise(0)',
    'col("i").cast(Boolean).xor(col("b"))',
    'col("i").ne_missing(2)',
]  # fmt: skip


@pytest.mark.parametrize("text", ALLOWED)
def test_a_row_of_the_whole_is_the_row_alone(text: str) -> None:
    expression = Expression.parse(text)
    columns = [expression.value.alias("value")]
    if expression.failed is not None:
        columns.append(expression.failed.alias("failed"))

    def evaluated(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(columns).select([column.meta.output_name() for column in columns])

    @settings(max_examples=15, deadline=None, database=None)
    @given(st.lists(st.fixed_dictionaries(FRAME), min_size=1, max_size=6))
    def check(rows: list[dict[str, Any]]) -> None:
        frame = pl.DataFrame(rows, schema=TYPES)
        whole = evaluated(frame)
        for place in range(len(rows)):
            alone = evaluated(frame[place : place + 1])
            for name in whole.columns:
                assert_series_equal(whole[name][place : place + 1], alone[name])

    check()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('col("a").summ()', "At character 10"),
        ('col("a") + colu("b")', "Near it: col"),
        ('col("a").str.to_lowercas()', "str.to_lowercase"),
        ('col("a") and col("b")', "&, | and ~"),
        ('col("a").cast(Floa64)', "Float64"),
        ("price * 2", "col('price')"),
        ('col("a").round(digits=2)', "decimals"),
        ("when(col('a')).then('x')", "lit(...)"),
        ("0 < col('a') < 1", "is_between"),
        ('col("a") +* 2', "At character"),
    ],
)
def test_an_error_names_the_place_and_the_mend(text: str, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expression(text)
    assert wanted in str(caught.value)


def test_the_fields_of_an_expression_are_named_once_and_sorted() -> None:
    expression = parse_expression('col("b") + col("a") * col("b")')
    assert fields_of(expression) == ("a", "b")
    assert Expression.parse("1").fields == ()


def test_what_cannot_be_cast_counts_as_failed_also_where_another_value_takes_its_place() -> None:
    expression = Expression.parse('col("s").cast(Float64).fill_null(0)')
    assert expression.failed is not None
    frame = pl.DataFrame({"s": ["1", "x", None]})
    assert frame.select(expression.failed).to_series().to_list() == [False, True, False]
    assert frame.select(expression.value).to_series().to_list() == [1.0, 0.0, 0.0]


def test_an_expression_may_be_written_over_several_lines() -> None:
    expression = parse_expression('\n  col("a")\n    .abs()\n')
    assert pl.DataFrame({"a": [-1]}).select(expression).item() == 1
