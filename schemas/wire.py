"""Wire forms: how steps travel in messages, and how a reader tells one form from another.

| form    | a message holds                        | header `replaylake-wire` |
|---------|----------------------------------------|--------------------------|
| json    | one JSON object                        | json/2                   |
| ndjson  | one JSON object a line                 | ndjson/2                 |
| arrow   | an Arrow IPC stream of many steps      | arrow/2                  |
| refused | a record that made no step, as it came | refused/2                |

A stage before the archive's topic that cannot make a step of a record sends the record on as `refused`,
with its reason in further headers: it goes to quarantine, from where it may be replayed.

A header decides; without one the first bytes do. JSON has no NaN, no infinity and no bytes: they are
written as the strings "NaN", "Infinity" and "-Infinity", and as base64.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum

import pyarrow as pa

from schemas.errors import VersionError, WireError
from schemas.protocols import Headers
from schemas.row_values import row_to_json
from schemas.step import WIRE_VERSION
from schemas.steps import Steps

HEADER = "replaylake-wire"
KNOWN_VERSIONS = (1, WIRE_VERSION)
_REASON = "replaylake-reason"
_DETAIL = "replaylake-detail"
_REASON_LENGTH, _DETAIL_LENGTH = 120, 2000  # characters; anyone may have written the headers
_STREAM_START = b"\xff\xff\xff\xff"
_STREAM_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_VERSION_KEY = b"replaylake.version"
_ROWS_KEY = b"replaylake.rows"


class Form(Enum):
    """Name a wire form, as the header does."""

    JSON = "json"
    NDJSON = "ndjson"
    ARROW = "arrow"
    REFUSED = "refused"


def refused_headers(reason: str, detail: str) -> Headers:
    """Return the headers of a record that made no step: a short stable code, and a line for people."""
    return (*headers_for(Form.REFUSED), (_REASON, reason.encode()), (_DETAIL, detail.encode()))


def refusal_of(headers: Headers) -> WireError:
    """Return why a refused record made no step, as its headers say."""
    said = {name: content.decode(errors="replace") for name, content in headers}
    return WireError(
        said.get(_DETAIL, "The sender did not say why.")[:_DETAIL_LENGTH],
        reason=said.get(_REASON, "refused")[:_REASON_LENGTH],
    )


def headers_for(form: Form) -> Headers:
    """Return the headers that tell a reader the form and its version."""
    return ((HEADER, f"{form.value}/{WIRE_VERSION}".encode()),)


def form_of(value: bytes, headers: Headers = ()) -> Form:
    """Tell the form of a message; raise WireError where it is none of ours.

    A form that is named is taken at its word: bytes that belie it fail when they are read.
    """
    for name, content in headers:
        if name == HEADER:
            return _named(content)
    return sniff(value)


def _named(content: bytes) -> Form:
    form, _, version = content.decode(errors="replace").partition("/")
    try:
        named = Form(form)
    except ValueError as exc:
        raise WireError(
            f"The header {HEADER} names the form {form!r}.",
            hint=f"The forms are {', '.join(form.value for form in Form)}.",
        ) from exc
    if version not in map(str, KNOWN_VERSIONS):
        raise VersionError(version, KNOWN_VERSIONS)
    return named


def sniff(value: bytes) -> Form:
    """Tell the form of a message by its bytes alone; raise WireError where it is none of ours."""
    if value.startswith(_STREAM_START):
        return Form.ARROW
    text = value.strip()
    if not text.startswith(b"{"):
        shown = value[:20]
        raise WireError(
            f"The message starts with {shown!r}: neither a JSON object nor an Arrow stream."
            if text
            else "The message is empty.",
            hint="Publish one JSON object, NDJSON, or an Arrow IPC stream.",
        )
    first, line_end, _ = text.partition(b"\n")
    if not line_end:
        return Form.JSON
    # An object that is printed over several lines is not complete after its first one. Lines that are
    # broken are told by how they start, so that one of them does not condemn the others.
    if _is_json(first) or (_all_start_objects(text) and not _is_json(text)):
        return Form.NDJSON
    return Form.JSON


def _all_start_objects(text: bytes) -> bool:
    return all(line.lstrip().startswith(b"{") for line in text.split(b"\n") if line.strip())


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def encode_arrow(steps: Steps) -> bytes:
    """Write steps as an Arrow IPC stream that knows its version and its number of rows."""
    metadata = {_VERSION_KEY: str(WIRE_VERSION).encode(), _ROWS_KEY: str(len(steps)).encode()}
    table = steps.table.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def decode_arrow(value: bytes) -> pa.Table:
    """Read an Arrow message, checked in full: a torn one fails, and never reads as fewer rows."""
    try:
        if not value.startswith(_STREAM_START) or not value.endswith(_STREAM_END):
            raise WireError("The Arrow message is cut off: its end is missing.", hint="Send it whole again.")
        # Read without its end mark: a body that was cut right after such bytes is then too short, too.
        source = pa.BufferReader(memoryview(value)[: -len(_STREAM_END)])
        table = pa.ipc.open_stream(source).read_all()
        if source.tell() != source.size():
            raise WireError("The Arrow message goes on after its end.", hint="Send one stream a message.")
        table.validate(full=True)
        _read_names(table.schema)
    except (pa.ArrowException, OSError, ValueError) as exc:
        problem = str(exc).split("\n", 1)[0].rstrip(".")
        raise WireError(f"The Arrow message does not read: {problem}.", hint="Send it whole again.") from exc
    metadata = table.schema.metadata or {}
    _check_claims(metadata, table.num_rows)
    return table.replace_schema_metadata(None)


def _read_names(fields: Iterable[pa.Field]) -> None:
    """Raise UnicodeDecodeError for a name that is not UTF-8, not only where somebody wants to show it."""
    for field in fields:
        str(field.name)
        _read_names(field.type.field(index) for index in range(field.type.num_fields))


def _check_claims(metadata: Mapping[bytes, bytes], rows: int) -> None:
    version = metadata.get(_VERSION_KEY, str(WIRE_VERSION).encode())
    if version != str(WIRE_VERSION).encode():
        raise VersionError(version.decode(errors="replace"), (WIRE_VERSION,))
    claimed = metadata.get(_ROWS_KEY)
    if claimed is not None and claimed != str(rows).encode():
        said = claimed.decode(errors="replace")
        raise WireError(f"The Arrow message has {rows} rows and says {said}.", hint="Send it whole again.")


def encode_json_lines(steps: Steps) -> list[bytes]:
    """Write each step as one JSON object, without a newline."""
    return [
        json.dumps(row_to_json(row, steps.spec), separators=(",", ":"), allow_nan=False).encode()
        for row in steps.table.to_pylist()
    ]
