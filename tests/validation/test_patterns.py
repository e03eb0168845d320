"""Regexes: what Python's `re` finds, found by an engine that cannot be kept busy."""

from __future__ import annotations

import re
import warnings
from datetime import datetime

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.errors import SuiteError
from validation import Suite
from validation.rules.patterns import translate

_ATOMS = [
    "a",
    "b",
    "B",
    "1",
    " ",
    "\n",
    ".",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    "[ab]",
    "[^a]",
    "[a-c1]",
]
_ATOMS += [
    r"[^\Wb]",
    r"[\s\d]",
    "^",
    r"\A",
    r"\Z",
    r"\b",
    r"\B",
    r"\.",
    "é",
    "\u017f",
    r"\x1c",
    "(?i:A)",
    "(?s:.)",
    "",
]
_PATTERNS = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "+?", "{0,2}?"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)
_FLAGS = st.sampled_from(["", "", "(?i)", "(?s)", "(?m)", "(?a)", "(?x)"])
_TEXTS = st.text(st.sampled_from("aAbBcC1 \n.éÉ\u017fs_²\x1c\u2028"), max_size=8)


@settings(max_examples=400, deadline=None)
@given(
    _FLAGS, _PATTERNS, st.sampled_from(["", "$", "$", r"(\d|$)"]), st.lists(_TEXTS, min_size=1, max_size=8)
)
def test_a_pattern_means_what_it_means_to_python(flags: str, body: str, end: str, texts: list[str]) -> None:
    pattern = flags + body + end
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = re.compile(pattern)
    try:
        translated = translate(pattern)
    except SuiteError:
        assume(False)
    found = pl.Series(texts, dtype=pl.String).str.contains(translated).to_list()
    assume(r"\B" not in pattern or "" not in texts)  # found there since Python 3.14 only
    # At \b Python takes ² for a word's character, and Polars does not.
    assume(r"\b" not in pattern.lower() or not any("²" in text for text in texts))
    assert found == [compiled.search(text) is not None for text in texts]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "does not compile: missing ), unterminated subpattern at character 1"),
        ("a{2,1}", "does not compile: min repeat greater than max repeat"),
        ("(?=a)b", "looks ahead or behind"),
        ("(?<!a)b", "looks ahead or behind"),
        (r"(a)\1", "refers back to a group"),
        (r"(a)?(?(1)b|c)", "refers back to a group"),
        ("(?>a+)b", "has an atomic group"),
        ("a++b", "has a possessive repeat"),
        ("(a$|b)c", "has a $ that is not at its end"),
        ("(a$|\n){2}", "has a $ that is not at its end"),
        (r"(?a)\Ba", r"has \B under (?a)"),
        ("(?ai)k", "has (?a) and (?i) together"),
        ("((a{1,500}){1,500}){1,500}", "is too large to run"),
        ("(" * 400 + ")" * 400, "is too deep"),
        ("a" * 4001, "has 4001 characters; 4000 are allowed"),
    ],
)
def test_what_no_engine_runs_in_time_is_refused_at_load(pattern: str, said: str) -> None:
    rule = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "t", "regex": pattern}}
    suite = Suite.from_dict({"name": "mine", "expectations": [rule]})
    with pytest.raises(SuiteError) as caught:
        suite.validate(pl.DataFrame({"t": ["a"]}))
    assert said in caught.value.message and caught.value.hint
    assert "Suite 'mine', rule 1 (expect_column_values_to_match_regex)" in caught.value.message


def test_a_pattern_that_explodes_elsewhere_ends_here() -> None:
    rule = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "t", "regex": "^(a+)+$"}}
    table = pl.DataFrame({"t": ["a" * 100_000 + "b", "aaa\n"]})
    result = Suite.from_dict({"name": "mine", "expectations": [rule]}).validate(table).to_dict()
    assert result["results"][0]["result"]["unexpected_index_list"] == [0]


_SHAPES = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%y",
    "%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S%z",
    "%j",
    "%%%d",
]
_PIECES = st.sampled_from(
    [
        "2026",
        "0001",
        "26",
        "01",
        "02",
        "12",
        "13",
        "28",
        "29",
        "30",
        "31",
        "1",
        "60",
        "61",
        "23",
        "24",
        "59",
        "Z",
        "+01:00",
        "-2359",
        "+24:00",
        ".",
        ":",
        "-",
        " ",
        "  ",
        "T",
        "%",
        "123456",
        "1234567",
        "٣",
        "\n",
        "",
    ]
)
_BAD_TIMES = st.lists(_PIECES, max_size=12).map("".join)
_TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_SHAPES), st.lists(_TIMES, max_size=5), st.lists(_BAD_TIMES, max_size=8))
def test_a_format_reads_what_strptime_reads(shape: str, times: list[datetime], others: list[str]) -> None:
    texts = [
        *(held.strftime(shape) for held in times),
        *others,
        "2026-02-29",
        "2024-02-29",
        "20260231",
        "00:00:60",
    ]
    kwargs = {"column": "t", "strftime_format": shape}
    rule = {"type": "expect_column_values_to_match_strftime_format", "kwargs": kwargs}
    result = Suite.from_dict({"name": "s", "expectations": [rule]}).validate(pl.DataFrame({"t": texts}))
    failing = result.to_dict()["results"][0]["result"]["unexpected_index_list"]

    def reads(text: str) -> bool:
        try:
            datetime.strptime(text, shape)
        except ValueError:
            return False
        return True

    assert failing == [row for row, text in enumerate(texts) if not reads(text)]


def test_a_format_that_no_time_has_is_refused() -> None:
    kwargs = {"column": "t", "strftime_format": "%Y %Q"}
    rule = {"type": "expect_column_values_to_match_strftime_format", "kwargs": kwargs}
    with pytest.raises(SuiteError, match="strftime_format '%Y %Q' cannot be read"):
        Suite.from_dict({"name": "s", "expectations": [rule]}).validate(pl.DataFrame({"t": ["a"]}))
