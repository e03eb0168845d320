"""Tables are brought to the wire's columns, and refused by name where a meaning would be lost."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError
from schemas.spaces import Box, Dict, Discrete, Scalar, Text
from schemas.step import TIMESTAMP, wire_schema

SPEC = ArchiveSpec(
    name="demo",
    observation=Box(shape=(2,)),
    action=Discrete(n=2),
    extras={
        "image": Box(shape=(2,), dtype="uint8"),
        "small": Box(shape=(1,), dtype="int8"),
        "wide": Box(shape=(1,), dtype="uint32"),
        "word": Text(),
        "seen": Scalar(dtype="timestamp"),
        "pair": Dict(spaces={"a": Discrete(n=2), "b": Box(shape=(1,))}),
    },
)
STRUCT = pa.struct([("b", pa.list_(pa.float64())), ("a", pa.int8())])
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def column(name: str, array: pa.Array | pa.ChunkedArray) -> Any:
    return conform(pa.table({name: array}), SPEC)[name].to_pylist()


@pytest.mark.parametrize(
    ("name", "array", "values"),
    [
        ("action", pa.array([1, 0], pa.uint8()), [1, 0]),
        ("action", pa.array([1, 2**63 - 1], pa.uint64()), [1, 2**63 - 1]),
        ("action", pa.array([1.0, -2.0, None]), [1, -2, None]),
        ("action", pa.array([1, 1, 0]).dictionary_encode(), [1, 1, 0]),
        ("action", pa.chunked_array([[5], [], [6, None]]).slice(1), [6, None]),
        ("action", pa.nulls(2), [None, None]),
        ("reward", pa.array([1, 2**53], pa.int64()), [1.0, 2.0**53]),
        ("reward", pa.array([0.5], pa.float16()), [0.5]),
        ("priority", pa.array([0.1, None]), [pytest.approx(0.1), 1.0]),
        ("observation", pa.array([[1.5, 2.0], None], pa.large_list(pa.float64())), [[1.5, 2.0], None]),
        (
            "observation",
            pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2)).slice(1),
            [None, [3.0, 4.0]],
        ),
        (
            "observation",
            pa.array([[9], [], None, [1, None]], pa.list_(pa.int8())).slice(1),
            [[], None, [1, None]],
        ),
        ("observation", pa.array([None, None], pa.list_(pa.null())), [None, None]),
        ("small", pa.array([[-128], [127]], pa.list_(pa.int64())), [[-128], [127]]),
        ("wide", pa.array([[2**32 - 1]], pa.list_(pa.uint32())), [[2**32 - 1]]),
        ("image", pa.array([b"ab", None], pa.large_binary()), [b"ab", None]),
        ("image", pa.array([b"ab"], pa.binary(2)), [b"ab"]),
        ("image", pa.array([b"ab"], pa.binary_view()), [b"ab"]),
        ("word", pa.array(["é", None], pa.large_string()), ["é", None]),
        ("word", pa.array(["é"], pa.string_view()), ["é"]),
        ("word", pa.array(["a", "b", "a"]).dictionary_encode().slice(1), ["b", "a"]),
        ("pair", pa.array([{"a": 1, "b": [0.5]}, None], STRUCT), [{"a": 1, "b": [0.5]}, None]),
        ("pair", pa.array([None, {"a": 1, "b": None}], STRUCT).slice(1), [{"a": 1, "b": None}]),
        ("seen", pa.array([DAY, None], pa.timestamp("s", "Europe/Paris")), [DAY, None]),
        ("seen", pa.array(["2026-01-01T01:00:00+01:00"], pa.string_view()), [DAY]),
        ("source", pa.array(["a", None]), ["a", "default"]),
    ],
)
def test_what_loses_no_meaning_is_taken(name: str, array: Any, values: list[Any]) -> None:
    assert column(name, array) == values


def test_what_is_right_already_is_not_copied() -> None:
    array = pa.array([[1.0, 2.0]], pa.list_(pa.float32()))
    found = conform(pa.table({"observation": array}), SPEC)["observation"].chunk(0)
    assert found.values.buffers()[1].address == array.values.buffers()[1].address


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("action", pa.array([1.9]), "is double and does not fit int64: Float value 1.9"),
        ("action", pa.array([math.nan]), "truncated"),
        ("action", pa.array([2.0**63]), "truncated"),
        ("action", pa.array([2**63], pa.uint64()), "not in range"),
        ("action", pa.array([True]), "a boolean is not a number"),
        ("action", pa.array(["1"]), "a string is not a number"),
        ("action", pa.array(["1"]).dictionary_encode(), "a string is not a number"),
        ("action", pa.array([[1]]), r"list<.*> is not a number"),
        ("reward", pa.array(["2.5"]), "a string is not a number"),
        ("reward", pa.array([2**53 + 1]), "not in range"),
        ("terminated", pa.array([1]), "a number is not a boolean"),
        ("source", pa.array([1]), "a number is not a string"),
        ("source", pa.array([b"a"]), "bytes is not a string"),
        ("small", pa.array([[128]]), "not in range"),
        ("observation", pa.array([[True, False]]), "a boolean is not a number"),
        ("observation", pa.array([1.0]), "a number is not a list"),
        ("image", pa.array([[1, 2]]), "is not a bytes"),
        ("image", pa.array(["ab"]), "a string is not a bytes"),
        ("pair", pa.array([{"a": 1}]), r"its fields are \['a'\], not \['a', 'b'\]"),
        ("pair", pa.array([{"a": 1.5, "b": [1.0]}]), "Float value 1.5"),
        ("seen", pa.array([datetime(2026, 1, 1)]), "the times have no zone"),
        ("seen", pa.array(["2026-01-01T00:00:00"]), "zone"),
        ("event_time", pa.array([True]), "ISO 8601, epoch seconds or milliseconds are expected"),
        ("step", pa.array([1], pa.timestamp("us", "UTC")), "is not a number"),
    ],
)
def test_what_would_be_changed_is_refused_with_its_column(name: str, array: pa.Array, says: str) -> None:
    with pytest.raises(StepsError, match=rf"The column '{name}'.*{says}.*Publish the type") as caught:
        column(name, array)
    assert (caught.value.column, caught.value.reason) == (name, f"wrong_type({name})")
    assert "\n" not in str(caught.value)


def test_a_struct_with_a_field_twice_is_refused() -> None:
    twice = pa.StructArray.from_arrays(
        [pa.array([1]), pa.array([2]), pa.array([[1.0]])], names=["a", "a", "b"]
    )
    with pytest.raises(StepsError, match=r"its fields are \['a', 'a', 'b'\]"):
        column("pair", twice)


def test_dictionaries_that_differ_by_chunk_are_one_column() -> None:
    chunks = [pa.array(values).dictionary_encode() for values in (["a", "b"], ["c"], [])]
    typed = [chunk.cast(pa.dictionary(pa.int32(), pa.string())) for chunk in chunks]
    assert column("word", pa.chunked_array(typed)) == ["a", "b", "c"]


def test_an_unknown_column_is_refused_also_where_it_is_empty() -> None:
    with pytest.raises(StepsError, match=r"'zz' is not one of the step.*declare it under `extras`") as caught:
        column("zz", pa.nulls(1))
    assert caught.value.reason == "unknown_field(zz)"


@pytest.mark.parametrize("rows", [0, 3])
def test_missing_columns_get_their_default(rows: int) -> None:
    table = conform(pa.table({"step": pa.array(range(rows), pa.int16())}), SPEC)
    assert table.schema == wire_schema(SPEC)
    assert table["agent_id"].to_pylist() == ["default"] * rows
    assert table["priority"].to_pylist() == [1.0] * rows
    assert table["observation"].null_count == rows


def test_probabilities_become_logarithms() -> None:
    table = pa.table(
        {"action_probability": [0.5, None, 0.0, -1.0], "action_log_prob": [None, -0.5, None, None]}
    )
    half, given, never, wrong = conform(table, SPEC)["action_log_prob"].to_pylist()
    assert (half, given, never) == (pytest.approx(math.log(0.5)), -0.5, -math.inf)
    assert math.isnan(wrong)


def test_a_row_with_both_propensities_is_refused() -> None:
    table = pa.table({"action_probability": [0.5], "action_log_prob": [-0.5]})
    with pytest.raises(StepsError, match=r"both action_log_prob and action_probability\. Give one of them"):
        conform(table, SPEC)


def test_no_batch_shares_times_outside_of_the_calendar() -> None:
    wild = pa.array([2**62], pa.int64()).cast(TIMESTAMP)
    with pytest.raises(StepsError, match="outside the years 1 to 9999"):
        column("event_time", wild)
