"""Any steps, written in any form and read back, are the same steps."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
from hypothesis import given, settings

from schemas.decode import decode
from schemas.steps import Steps
from schemas.wire import Form, decode_arrow, encode_arrow, encode_json_lines, headers_for, sniff
from tests.schemas.strategies import batches, message, messages

_FEWER = settings(max_examples=60, deadline=None)


@_FEWER
@given(steps=batches())
def test_arrow_and_back_is_the_same(steps: Steps) -> None:
    assert Steps(decode_arrow(encode_arrow(steps)), steps.spec) == steps


@_FEWER
@given(steps=batches())
def test_json_lines_and_back_are_the_same(steps: Steps) -> None:
    found = decode(messages(encode_json_lines(steps)), steps.spec, "t")

    assert found.faults == ()
    assert Steps(found.table, steps.spec) == steps
    assert found.message.tolist() == list(range(len(steps)))


@_FEWER
@given(steps=batches())
def test_one_ndjson_message_and_back_is_the_same(steps: Steps) -> None:
    text = b"\r\n".join(encode_json_lines(steps)) + b"\n\n"
    found = decode([message(text, headers=headers_for(Form.NDJSON))], steps.spec, "t")

    if len(steps):
        assert found.faults == ()
        assert Steps(found.table, steps.spec) == steps
        assert found.row.tolist() == list(range(len(steps)))
    else:
        assert [fault.reason for fault in found.faults] == ["undecodable"]


@_FEWER
@given(steps=batches())
def test_json_is_strict_json(steps: Steps) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    for line in encode_json_lines(steps):
        assert b"\n" not in line
        json.loads(line, parse_constant=refuse)


@_FEWER
@given(steps=batches())
def test_sniffing_tells_every_form(steps: Steps) -> None:
    lines = encode_json_lines(steps)
    assert sniff(encode_arrow(steps)) is Form.ARROW
    for line in lines:
        assert sniff(line) is Form.JSON
        assert sniff(b"\n " + line + b" \n") is Form.JSON
        assert sniff(json.dumps(json.loads(line), indent=2).encode()) is Form.JSON
    if len(lines) > 1:
        assert sniff(b"\n".join(lines)) is Form.NDJSON
        assert sniff(b"\r\n".join(lines) + b"\r\n") is Form.NDJSON


@_FEWER
@given(steps=batches())
def test_pretty_printed_json_reads_as_the_plain_one(steps: Steps) -> None:
    pretty = [json.dumps(json.loads(line), indent=1).encode() for line in encode_json_lines(steps)]
    found = decode(messages(pretty), steps.spec, "t")

    assert found.faults == ()
    assert Steps(found.table, steps.spec) == steps


@_FEWER
@given(steps=batches())
def test_other_encodings_of_the_same_table_are_the_same_steps(steps: Steps) -> None:
    """What Polars hands over has views and 64-bit offsets; a slice does not begin where its buffer does."""
    viewed = pa.table(pl.DataFrame(steps.table))
    doubled = pa.concat_tables([steps.table, steps.table]).combine_chunks()

    assert Steps(viewed, steps.spec) == steps
    assert Steps(pl.DataFrame(steps.table).to_arrow(), steps.spec) == steps
    assert Steps(doubled.slice(len(steps)), steps.spec) == steps
    assert Steps(pa.concat_tables([steps.table.slice(0, 1), steps.table.slice(1)]), steps.spec) == steps
    assert Steps(steps.table.select(steps.table.column_names[::-1]), steps.spec) == steps


@_FEWER
@given(steps=batches())
def test_python_values_read_off_steps_make_the_same_steps(steps: Steps) -> None:
    assert Steps.from_rows(steps.table.to_pylist(), steps.spec) == steps
