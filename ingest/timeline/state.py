"""State as bytes: what is held as JSON, and its payload as an Arrow stream behind it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from ingest.timeline.held import Step, step_from_json, step_to_json
from schemas.errors import DataError

_MAGIC = b"replaylake timeline 1\n"
_NUMBER = 8  # bytes of a length or a checksum


def write_state(control: Mapping[str, Any], steps: Sequence[Step], payload: pa.Table) -> bytes:
    """Write the state of a timeline."""
    content = orjson.dumps({**control, "steps": [step_to_json(step) for step in steps]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, payload.schema) as writer:
        writer.write_table(payload)
    body = len(content).to_bytes(_NUMBER) + content + bytes(sink.getvalue())
    return _MAGIC + zlib.crc32(body).to_bytes(_NUMBER) + body


def read_state(state: bytes) -> tuple[dict[str, Any], dict[int, Step], pa.Table]:
    """Read what `write_state` wrote: the rest of it, the steps by their number, and the payload."""
    start = len(_MAGIC) + _NUMBER
    body = memoryview(state)[start:]
    if not state.startswith(_MAGIC) or zlib.crc32(body) != int.from_bytes(state[len(_MAGIC) : start]):
        raise DataError(
            "The state of the timeline is not whole, or of another version.",
            hint="Delete it: the events are then read from the start of their topic again.",
        )
    length = int.from_bytes(body[:_NUMBER])
    control = orjson.loads(body[_NUMBER : _NUMBER + length])
    payload = pa.ipc.open_stream(pa.py_buffer(body[_NUMBER + length :])).read_all()
    steps = {step.seq: step for step in map(step_from_json, control.pop("steps"))}
    return control, steps, payload
