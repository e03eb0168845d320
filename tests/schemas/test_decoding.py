"""The bulk decoder says of every row what the exact path says of it alone."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.decode import Decoded, decode
from schemas.protocols import Message
from schemas.spaces import Box, Dict, Discrete, Scalar, Text
from schemas.steps import Steps
from schemas.wire import Form, encode_arrow, encode_json_lines, headers_for, refused_headers
from tests.schemas.strategies import batches, message, messages, rows

SPEC = ArchiveSpec(
    name="demo",
    observation=Dict(spaces={"image": Box(shape=(2,), dtype="uint8"), "speed": Box(shape=())}),
    action=Discrete(n=3),
    extras={
        "seen": Scalar(dtype="timestamp"),
        "word": Text(),
        "half": Box(shape=(2,), dtype="float16"),
        "small": Box(shape=(1,), dtype="int8"),
        "sure": Box(shape=(1,), dtype="bool"),
        "deep": Dict(spaces={"when": Scalar(dtype="timestamp"), "pixels": Box(shape=(1,), dtype="uint8")}),
    },
)
GOOD: dict[str, Any] = {
    "episode_id": "e",
    "step": 1,
    "observation": {"image": "AAE=", "speed": [0.5]},
    "action": 1,
    "reward": 1.0,
    "terminated": False,
    "truncated": False,
    "event_time": "2026-01-01T00:00:00Z",
}
Judged = list[tuple[int, int, Any]]


def judged(found: Decoded) -> Judged:
    """List what became of each row: its values, or the reason why it was refused and its bytes."""
    assert found.faults == tuple(sorted(found.faults, key=lambda fault: (fault.message, fault.row)))
    values = found.table.to_pylist()
    places = list(zip(found.message.tolist(), found.row.tolist(), strict=True))
    assert places == sorted(places)
    decoded = [(*place, repr(value)) for place, value in zip(places, values, strict=True)]
    faults = [(fault.message, fault.row, (fault.reason, fault.raw)) for fault in found.faults]
    return sorted([*decoded, *faults], key=lambda held: held[:2])


def alone(batch: list[Message], spec: ArchiveSpec) -> Judged:
    """Decode each message by itself: too few for the parser, so that each takes the exact path."""
    return [
        (index, row, held)
        for index, one in enumerate(batch)
        for _, row, held in judged(decode([one], spec, "t"))
    ]


def among_many(values: list[bytes]) -> list[Message]:
    """Put messages between many plain ones, so that the parser reads them."""
    plain = [json.dumps({**GOOD, "step": number}).encode() for number in range(200)]
    return messages([*plain[:90], *values, *plain[90:]])


def assert_bulk_is_exact(batch: list[Message], spec: ArchiveSpec) -> None:
    found = judged(decode(batch, spec, "t"))
    assert found == alone(batch, spec)
    assert {index for index, _, _ in found} == set(range(len(batch)))


NUMBERS = "NaN Infinity -Infinity Inf -Inf nan 1e400 -1e400 1e39 1e-400 01 1. +1 .5 - 1E5 -0 -0.0".split()
NUMBERS += [
    "1.000000059604644775390625000001",  # rounded to 32 bits at once, it is another number
    "1" * 400,
    "9" * 5000,
    "16777217",
    "9007199254740993",
    "2.5",
    '"2.5"',
    '"NaN"',
    '"-Infinity"',
    "true",
    "[1]",
    "null",
]
TIMES = [
    "1700000000",
    "1700000000.25",
    "1700000000123",
    "-5",
    "1e30",
    "true",
    "{}",
    str(2**63),
    *(
        f'"{text}"'
        for text in [
            "2026-01-01T00:00:00",
            "2026-01-01",
            "2026-01-01T00:00:00.123456789Z",
            "2026-01-01 00:00Z",
            "2026-01-01T00:00:00,5Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "1969-12-31T23:59:59.999999+00:00",
            "2026-W01-1T00:00Z",
            "yesterday",
        ]
    ),
]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, NUMBERS) for name in ("reward", "priority", "step", "action", "action_probability")),
        ("half", [f"[0.5, {number}]" for number in NUMBERS]),
        ("small", ["[1]", "[128]", "[1.0]", "[true]", "1", "[null]", "[]", "[[1]]"]),
        ("sure", ["[true]", "[null]", "true", "[1]", "null"]),
        ("action_mask", ["[true, null]", "[true, 1]", "[]", "true", '"yes"']),
        ("event_time", TIMES),
        ("seen", TIMES),
        ("deep", [f'{{"when": {time}, "pixels": "AA=="}}' for time in TIMES]),
        ("deep", ["null", "{}", '{"when": null, "pixels": [7]}', '{"other": null}', '{"pixels": "A"}']),
        ("word", ['"\\ud800"', '"\\u0000"', '"é"', '"\x01"', "5", '"\\ud83d\\ude00"']),
        ("info", ['"plain"', '{"a": [NaN, {"b": 1}]}', "[1]", "1", '"\\ud800"', '{"\\ud800": 1}']),
        ("version", ["1", "2", "2.0", "3", "true", '"2"', "[2]", "null"]),
        ("observation", ['{"image": "AB==", "speed": [1]}', '{"image": [1, 256]}', '{"image": "A A="}']),
        ("observation", ['{"image": [0, 255], "speed": 3}', '{"image": "_-A="}', "[1, 2]", "null"]),
        ("zz", ["null", "1", "[]", "{}", '{"a": null}']),
        ("z\\ud800", ["1", "null"]),
    ],
)
def test_odd_values_are_judged_alike_among_others(name: str, values: list[str]) -> None:
    lines = []
    for value in values:
        record = json.dumps({key: held for key, held in GOOD.items() if key != name})
        lines.append(f'{record[:-1]}, "{name}": {value}}}'.encode())
    assert_bulk_is_exact(among_many(lines), SPEC)


def test_odd_texts_are_judged_alike_among_others() -> None:
    good = json.dumps(GOOD).encode()
    lines = [
        good.replace(b'"e"', b'"\xff\xfe"'),  # not UTF-8
        good[:-1] + b', "step": 2}',  # a key twice
        good[:-1] + b', "zz": null, "zz": null}',
        good + good,
        good + b" " + good,
        good + b",",
        good[:-1],
        good.replace(b", ", b"\n, "),
        b"{}",
        b"",
        b" ",
        b"[]",
        b"null",
        b"7",
        b"[" * 100_000,
        b'{"info":' + b'{"a":' * 900 + b"1" + b"}" * 901,
        good[:-1] + b', "info": ' + b"[" * 90 + b"]" * 90 + b"}",
        good[:-1] + b', "info": ' + b"[" * 990 + b"]" * 990 + b"}",
        good[:-1] + b', "info": "' + b"[" * 9_000 + b'"}',
        b'{"' + b'\\"' * 100_000 + b"[" * 200,
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
    ]
    assert_bulk_is_exact(among_many(lines), SPEC)


@settings(max_examples=40, deadline=None)
@given(steps=batches(max_size=3), data=st.data())
def test_batches_of_any_spec_with_broken_lines_are_judged_alike(steps: Steps, data: st.DataObject) -> None:
    good = encode_json_lines(steps) or [b"{}"]
    few = data.draw(st.lists(st.sampled_from(good), min_size=65, max_size=70))
    for place in data.draw(st.lists(st.integers(0, 64), max_size=4)):
        cut = data.draw(st.integers(0, len(few[place])))
        few[place] = data.draw(st.sampled_from([few[place][:cut], b"{" + few[place], b'{"x": 1}', b"\xff"]))
    assert_bulk_is_exact(messages(few), steps.spec)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.binary(max_size=40) | st.binary(max_size=20).map(b"{".__add__), max_size=5))
def test_random_bytes_never_crash_and_are_accounted_for(values: list[bytes]) -> None:
    found = decode(messages(values), SPEC, "t")
    assert {index for index, _, _ in judged(found)} == set(range(len(values)))
    assert all(fault.reason and fault.detail for fault in found.faults)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_arrow_with_random_damage_is_whole_rows_or_a_fault(data: st.DataObject) -> None:
    steps = Steps.from_rows(data.draw(st.lists(rows(SPEC), min_size=1, max_size=2)), SPEC)
    value = bytearray(encode_arrow(steps))
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=4)):
        value[place] = data.draw(st.integers(0, 255))

    found = decode([message(bytes(value))], SPEC, "t")

    assert len(found.faults) == 1 or found.table.num_rows == len(steps)
    found.table.validate(full=True)


def test_forms_and_faults_in_one_batch_keep_their_order() -> None:
    line = json.dumps(GOOD).encode()
    arrow = encode_arrow(Steps.from_rows([{**GOOD, "step": n} for n in range(3)], SPEC))
    other = pl.DataFrame({"nonsense": [1]}).to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, other.schema) as writer:
        writer.write_table(other)
    batch = messages(
        [
            b"?",
            line,
            arrow,
            sink.getvalue().to_pybytes(),
            arrow,
            line + b"\n{broken\n" + line,
            arrow[:-1],
            b"",
        ]
    )

    found = decode(batch, SPEC, "t")

    assert found.message.tolist() == [1, 2, 2, 2, 4, 4, 4, 5, 5]
    assert found.row.tolist() == [0, 0, 1, 2, 0, 1, 2, 0, 2]
    assert [(fault.message, fault.row) for fault in found.faults] == [(0, 0), (3, 0), (5, 1), (6, 0), (7, 0)]
    assert found.faults[1].reason == "unknown_field(nonsense)"
    assert found.faults[2].raw == b"{broken"


def test_a_refused_record_keeps_its_bytes_and_its_reason() -> None:
    sent = [
        message(b"\xffanything", 1, refused_headers("mapping(reward)", "the reward 'ü' is no number")),
        message(b"", 2, headers_for(Form.REFUSED)),
        message(b"long", 3, refused_headers("r" * 5000, "d" * 5000)),
    ]
    found = decode(sent, SPEC, "id")
    assert found.table.num_rows == 0
    assert [(fault.message, fault.raw) for fault in found.faults] == [
        (0, b"\xffanything"),
        (1, b""),
        (2, b"long"),
    ]
    assert [fault.reason for fault in found.faults] == ["mapping(reward)", "refused", "r" * 120]
    assert [fault.detail for fault in found.faults][:2] == [
        "the reward 'ü' is no number",
        "The sender did not say why.",
    ]
