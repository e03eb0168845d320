"""An Arrow message is read whole or not at all."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings

from schemas.errors import StepsError, VersionError, WireError
from schemas.steps import Steps
from schemas.wire import decode_arrow, encode_arrow
from tests.schemas.strategies import batches


def stream(table: pa.Table, times: int = 1, **options: str) -> bytes:
    """Write a table as a foreign producer does: in several batches, and without our claims."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(times):
            writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


@settings(max_examples=10, deadline=None)
@given(steps=batches())
def test_a_message_cut_at_any_byte_is_a_fault(steps: Steps) -> None:
    value = encode_arrow(steps)
    for end in range(len(value)):
        with pytest.raises(WireError):
            decode_arrow(value[:end])


def test_a_foreign_message_cut_at_any_byte_is_a_fault() -> None:
    # Where a batch ends in bytes like these, a cut behind it looks like the end of the stream.
    value = stream(pa.table({"number": pa.array([-1, 0], pa.int32())}), times=3)
    assert value.count(b"\xff\xff\xff\xff\x00\x00\x00\x00") > 1
    for end in range(len(value)):
        with pytest.raises(WireError):
            decode_arrow(value[:end])
    assert decode_arrow(value).num_rows == 6


@pytest.mark.parametrize("extra", [b"\x00", b"\x00" * 8, b"again"])
def test_bytes_behind_the_end_are_a_fault(extra: bytes) -> None:
    value = stream(pa.table({"number": [1, 2]}))
    with pytest.raises(WireError, match="Send"):
        decode_arrow(value + (value if extra == b"again" else extra))


@pytest.mark.parametrize("options", [{}, {"compression": "lz4"}, {"compression": "zstd"}])
@pytest.mark.parametrize("times", [0, 1, 3])
def test_foreign_messages_read(options: dict[str, str], times: int) -> None:
    table = pa.table({"word": pa.array(["a", None, "a"]).dictionary_encode(), "number": [1, 2, 3]})
    assert decode_arrow(stream(table, times, **options)).num_rows == 3 * times


@pytest.mark.parametrize(
    ("metadata", "error", "says"),
    [
        ({"replaylake.rows": "3"}, WireError, "has 2 rows and says 3"),
        ({"replaylake.version": "1"}, VersionError, "version '1'"),
        ({"replaylake.version": "9"}, VersionError, "Upgrade replaylake"),
    ],
)
def test_claims_are_checked(metadata: dict[str, str], error: type[WireError], says: str) -> None:
    table = pa.table({"number": [1, 2]}).replace_schema_metadata(metadata)
    with pytest.raises(error, match=says):
        decode_arrow(stream(table))


def test_invalid_text_is_a_fault() -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    with pytest.raises(WireError, match="UTF8"):
        decode_arrow(stream(pa.table({"word": wrong})))


def test_a_column_twice_is_a_fault(demo_steps: Steps) -> None:
    table = demo_steps.table
    twice = pa.table([table["source"], table["source"]], names=["source", "source"])
    with pytest.raises(StepsError, match="Two columns have one name"):
        Steps(twice, demo_steps.spec)
