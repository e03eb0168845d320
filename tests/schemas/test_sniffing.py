"""The form of a message, by its header and by its bytes."""

from __future__ import annotations

import json

import pytest

from schemas.errors import VersionError, WireError
from schemas.wire import HEADER, Form, form_of, headers_for, sniff

OBJECT = b'{"a": 1}'


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (OBJECT, Form.JSON),
        (b" \r\n" + OBJECT + b"\r\n ", Form.JSON),
        (json.dumps({"a": [{"b": 1}, {"c": {}}]}, indent=2).encode(), Form.JSON),
        (b'{"a":\n{"b": 1}}', Form.JSON),  # every line begins like an object
        (b'{"a": "}\\n{"}', Form.JSON),
        (b'{"a": 1', Form.JSON),
        (b'{"a": 1\n, "b"', Form.JSON),
        (OBJECT + b"\n" + OBJECT, Form.NDJSON),
        (OBJECT + b"\r\n\r\n" + OBJECT + b"\n", Form.NDJSON),
        (OBJECT + b"\nrubbish", Form.NDJSON),
        (b'{"a": \n' + OBJECT + b"\n" + OBJECT, Form.NDJSON),  # the first line is broken
        (b"{\xff}\n" + OBJECT, Form.NDJSON),
        (b"\xff\xff\xff\xff", Form.ARROW),
    ],
)
def test_bytes_tell_the_form(value: bytes, form: Form) -> None:
    assert sniff(value) is form
    assert form_of(value, (("other", b"arrow/2"),)) is form


@pytest.mark.parametrize(
    "value", [b"", b" \n", b"[1]", b"ARROW1", b"\xef\xbb\xbf{}", b"\xff\xff\xff", b"\x00{"]
)
def test_other_bytes_are_refused_by_name(value: bytes) -> None:
    with pytest.raises(WireError, match=r"The message .* Publish one JSON object") as caught:
        sniff(value)
    assert not value.strip() or repr(value[:20]) in str(caught.value)


@pytest.mark.parametrize("form", Form)
def test_a_header_is_taken_at_its_word(form: Form) -> None:
    assert form_of(b"anything", headers_for(form)) is form


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"xml/2", WireError, "names the form 'xml'"),
        (b"", WireError, "The forms are json, ndjson, arrow, refused"),
        (b"\xff", WireError, "names the form"),
        (b"json", VersionError, "version ''"),
        (b"json/3", VersionError, "version '3'"),
        (b"json/2/2", VersionError, "version '2/2'"),
    ],
)
def test_a_header_of_no_form_is_refused(content: bytes, error: type[WireError], says: str) -> None:
    with pytest.raises(error, match=says):
        form_of(OBJECT, ((HEADER, content),))
