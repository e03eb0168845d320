"""The mapping in bulk gives what a slow reference gives, one plain record at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mapping import Application, RecordMapping
from ingest.records import Mapped
from schemas.archive_spec import ArchiveSpec
from schemas.steps import Steps
from tests.mapping.reference import Want, map_record
from tests.mapping.samples import records, text_frame

SPEC = ArchiveSpec.from_json(
    {
        "name": "odd",
        "observation": {"type": "box", "shape": [9]},
        "action": {"type": "discrete", "n": 3},
        "extras": {
            "mood": {"type": "scalar", "dtype": "float64"},
            "tiny": {"type": "box", "shape": [2], "dtype": "int8"},
            "at": {"type": "scalar", "dtype": "timestamp"},
            "slot": {"type": "scalar", "dtype": "int64"},
        },
    }
)
Row = dict[str, Any]
COLUMNS: dict[str, Any] = {
    "episode_id": "$.s.id",
    "step": "t",
    "observation": {
        "vector": [
            "x",
            {"field": "y", "default": 0.5},
            {"one_hot": "c", "values": ["a", "7", "true"], "other": "a"},
            {"map": "m", "keys": ["p", "q"]},
            {"list": "$.l"},
        ]
    },
    "action": {"field": "a", "values": {"left": 0, "7": 1, "true": 2}, "default": 2},
    "reward": "r",
    "terminated": "d",
    "truncated": {"field": "e", "default": False},
    "event_time": "iso",
    "policy_version": "c",
    "mood": {"field": "y", "default": -1.0},
    "tiny": {"vector": [{"const": 7}, "t"]},
    "at": {"field": "ms", "time": "epoch_ms"},
    "slot": {"hash": "c", "slots": 5},
}
WANTS = {
    "episode_id": Want("text"),
    "step": Want("int"),
    "observation": Want("float32", 9),
    "action": Want("int"),
    "reward": Want("float64"),
    "terminated": Want("bool"),
    "truncated": Want("bool"),
    "event_time": Want("time"),
    "policy_version": Want("text"),
    "mood": Want("float64"),
    "tiny": Want("int", 2, -128, 127),
    "at": Want("time"),
    "slot": Want("int"),
}
REQUIRED = ("observation", "action", "terminated", "truncated")

numbers = st.sampled_from(
    [
        0,
        1,
        -3,
        127,
        128,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63) - 1,
        10**400,
        0.5,
        1.0,
        -0.0,
        1.9,
        1e300,
        3.5e38,
    ]
)
numbers_as_text = st.sampled_from(
    ["0", "+1", "-3", "007", "1.0", "1.9", ".5", "1.", "1e3", "1e999", "-1e999", "3.5e38", "1_0", " 1", "1 ",
     "0x1", "NaN", "nan", "inf", "-Infinity", "9223372036854775807", "9223372036854775808", "٣", "1e", "."]
)  # fmt: skip
words = st.sampled_from(["", "a", "left", "true", "True", "FALSE", "yes", "7", "ä", "\ud800", "null"])
times = st.sampled_from(
    ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00+01:00", "2026-03-01 10:00:00.123456789Z", "2026-03-01",
     "2026-03-01T10:00:00", "20260301T100000Z", "1970-01-01T00:00Z", "0001-01-01T00:00:00+01:00",
     "2026-02-30T00:00:00Z"]
)  # fmt: skip
odd = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    numbers_as_text,
    words,
    times,
    st.just([]),
    st.just({}),
    st.just([1, "x"]),
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give a usual value nine times of ten, so that whole records are good now and then."""
    return st.integers(0, 9).flatmap(lambda draw: odd if draw == 0 else usual)


documents = st.fixed_dictionaries(
    {},
    optional={
        "s": mostly(st.fixed_dictionaries({"id": st.sampled_from(["e1", 7, "8"])})),
        "t": mostly(st.integers(0, 9)),
        "x": mostly(st.floats(-2, 2) | numbers_as_text),
        "y": odd,
        "c": mostly(st.sampled_from(["a", 7, True, "z"])),
        "m": mostly(st.fixed_dictionaries({"p": st.just(1), "q": st.floats(0, 1)})),
        "l": mostly(st.sampled_from([[1, 2], [[0.5], [2]], "[3, 4]"])),
        "a": mostly(st.sampled_from(["left", 7, True])),
        "r": mostly(st.floats(-1, 1) | st.integers(-3, 3)),
        "d": mostly(st.booleans()),
        "e": mostly(st.booleans()),
        "iso": mostly(times),
        "ms": mostly(st.integers(0, 2 * 10**12)),
    },
)
USUAL = {"s": {"id": "e"}, "t": 1, "x": 0.5, "c": "a", "m": {"p": 1, "q": 2}, "l": [1, 2], "a": "left"}
whole_documents = documents.map(lambda found: USUAL | {"d": True, "e": False} | found)


def first_fault(record: Mapping[str, Any]) -> Any:
    """Return the first column at fault: the reference stops at the first that it finds."""
    row: dict[str, Any] = {}
    for name, form in COLUMNS.items():
        made = map_record(record, {name: form}, WANTS)
        if made == name or (name in REQUIRED and made[name] is None):
            return name
        row |= made
    return row if row["episode_id"] is not None and row["step"] is not None else "step"


def compare(made: Mapped, wanted: list[Any]) -> None:
    rows = made.table.to_pylist()
    faults = iter(made.refused)
    found = dict(zip(made.record.tolist(), rows, strict=True))
    for place, want in enumerate(wanted):
        if isinstance(want, str):
            assert next(faults).reason == f"mapping({want})", place
        else:
            assert same(found[place], want), (found[place], want)
    assert next(faults, None) is None


def same(one: Any, other: Any) -> bool:
    """Compare rows, NaN being the same as NaN."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return bool(one == other)


MAPPING = RecordMapping.from_dict({"columns": COLUMNS})
READY = MAPPING.application(SPEC)


@settings(max_examples=120, deadline=None)
@given(st.lists(documents | whole_documents, max_size=12))
def test_objects_are_mapped_as_the_reference_maps_them(found: list[dict[str, Any]]) -> None:
    made = READY.apply(records(found))
    compare(made, [first_fault(record) for record in found])
    assert len(Steps(made.table, SPEC)) == made.table.num_rows


texts = st.fixed_dictionaries(
    {
        "t": mostly(st.sampled_from(["0", "7"])),
        "x": mostly(numbers_as_text),
        "y": numbers_as_text | words,
        "c": mostly(words),
        "m": mostly(st.just('{"p": 1, "q": 0.5}')),
        "l": mostly(st.sampled_from(["[1, 2]", "[[1], [2]]", "[1]", "[1,", "7"])),
        "a": mostly(st.sampled_from(["left", "7", "true"])),
        "r": mostly(numbers_as_text),
        "d": mostly(st.sampled_from(["true", "False"])),
        "e": mostly(st.sampled_from(["true", "False", ""])),
        "iso": mostly(times),
        "ms": mostly(st.sampled_from(["1700000000000", "1.5", "-1"])),
        "s": mostly(st.just('{"id": "e1"}')),
    }
).map(lambda row: {key: value for key, value in row.items() if _is_csv(value)})


def _is_csv(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and "\ud800" not in value


@settings(max_examples=120, deadline=None)
@given(st.lists(texts, max_size=12))
def test_tables_of_text_are_mapped_as_the_reference_maps_them(found: list[dict[str, str]]) -> None:
    frame = text_frame(found, ["t", "x", "y", "c", "m", "l", "a", "r", "d", "e", "iso", "ms", "s"])
    wanted = [first_fault({**row, "s": _session(row)}) for row in found]
    compare(READY.apply(records(frame)), wanted)


def _session(row: Mapping[str, str]) -> Any:
    return {"id": "e1"} if row.get("s", "").startswith("{") else row.get("s")


EXPRESSIONS: dict[str, Any] = {
    "observation": {"const": [0] * 9},
    "action": {"const": 0},
    "terminated": {"expr": 'col("d") == True', "default": False},
    "truncated": {"const": False},
    "reward": {"expr": 'col("r") * 0.5 + col("$.x")'},
    "mood": {"expr": 'when(col("y").is_null()).then(0).otherwise(col("y").cast(Float64))'},
    "policy_version": {"expr": 'col("c").str.to_uppercase()'},
    "slot": {"expr": 'col("l").list.len().cast(Int64)'},
}
COMPUTED = RecordMapping.from_dict(
    {"where": 'col("t").is_null() | (col("t") < 100)', "columns": EXPRESSIONS}
).application(SPEC)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([READY, COMPUTED]), st.lists(documents | whole_documents, min_size=1, max_size=8))
def test_what_a_record_becomes_depends_on_that_record_alone(ready: Application, found: list[Row]) -> None:
    together = ready.apply(records(found))
    alone = [ready.apply(records([record])) for record in found]
    tables = pa.concat_tables([one.table for one in alone])
    columns = [name for name in tables.column_names if name != "event_id"]  # which is the source's
    assert repr(together.table.select(columns).to_pylist()) == repr(tables.select(columns).to_pylist())
    assert [(one.reason, one.detail) for one in together.refused] == [
        (refused.reason, refused.detail) for one in alone for refused in one.refused
    ]
