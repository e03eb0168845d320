"""What `replaylake publish` reads: files and standard input, told apart as NDJSON or JSON."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Literal

from schemas.errors import DataError, NotFoundError, UsageError

Form = Literal["auto", "ndjson", "json"]
_LINE_NAMES = (".ndjson", ".jsonl")
_BOM = b"\xef\xbb\xbf"
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Source:
    """Name something to read; `size` is None where that is known only at its end."""

    path: str  # - is standard input
    form: Form
    size: int | None

    def records(self) -> Iterator[bytes]:
        """Iterate over the records, each one line.

        NDJSON comes as it is, good or bad, with the memory of one line. JSON is read whole: raise DataError
        where it is broken, before a record came. Raise UsageError for what starts as neither.
        """
        with self._opened() as file:
            first = _first_line(file)
            form = self.form if self.form != "auto" else _form_of(self, first)
            if form == "ndjson":
                yield from chain((first,), file)
            else:
                yield from _split(first + file.read(), self.shown)

    @property
    def shown(self) -> str:
        """The name for people."""
        return "standard input" if self.path == "-" else self.path

    def _opened(self) -> BinaryIO | nullcontext[BinaryIO]:
        return nullcontext(sys.stdin.buffer) if self.path == "-" else open(self.path, "rb")


def check_sources(paths: Iterable[str], form: Form) -> list[Source]:
    """Return what the paths name; raise a UsageError for the first that cannot be read or is no JSON.

    Pipes are not opened: what was read of them would be gone.
    """
    sources = [_checked(path, form) for path in paths]
    if sum(source.path == "-" for source in sources) > 1:
        raise UsageError("Standard input is named twice.", hint="Give - once.")
    return sources


def _checked(path: str, form: Form) -> Source:
    if form == "auto" and path.endswith(_LINE_NAMES):
        form = "ndjson"
    if path == "-":
        return Source(path, form, None)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(
                f"{path!r} is a folder.", hint=f"Give its files, such as {path.rstrip('/')}/*.ndjson"
            )
        if not stat.S_ISREG(status.st_mode):
            return Source(path, form, None)
        with open(path, "rb") as file:
            source = Source(path, form, status.st_size)
            if form == "auto":
                _form_of(source, _first_line(file))
            return source
    except FileNotFoundError as exc:
        raise NotFoundError("file", path) from exc
    except OSError as exc:
        raise UsageError(f"The file {path!r} cannot be read: {exc.strerror}.") from exc


def _first_line(file: BinaryIO) -> bytes:
    """Return the first line that is not empty, without a byte order mark; b"" where there is none."""
    for line in file:
        text = line.removeprefix(_BOM)
        if text.strip():
            return text
    return b""


def _form_of(source: Source, first: bytes) -> Form:
    """Tell by its first line whether it is NDJSON or JSON."""
    start = first.lstrip()[:1]
    if start == b"{":
        return "ndjson" if _is_json(first) else "json"
    if start in (b"[", b""):
        return "json"
    shown = first[:30].decode(errors="replace").strip()
    raise UsageError(
        f"{source.shown!r} is neither NDJSON nor JSON: it starts with {shown!r}.",
        hint="Where it is NDJSON whose bad lines are to be kept in quarantine, say --format ndjson.",
    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _split(content: bytes, shown: str) -> Iterator[bytes]:
    """Return the objects of a JSON text, each as it is written, in one line."""
    try:
        text = content.decode()
        spans = list(_spans(text))
    except (ValueError, RecursionError) as exc:
        raise DataError(
            f"{shown!r} is not JSON: {exc}. Nothing of it was sent.",
            hint="Mend it there, or where it is NDJSON say --format ndjson.",
        ) from exc
    for start, end in spans:
        # A line's end within a JSON text is white space: in a string it would be written \\n.
        yield text[start:end].replace("\n", " ").replace("\r", " ").encode()


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Find where each object of the text, or of the arrays in it, starts and ends; raise ValueError."""
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "[":
            at = yield from _elements(text, _skip(text, at + 1))
        else:
            end = _DECODER.raw_decode(text, at)[1]
            yield at, end
            at = end
        at = _skip(text, at)


def _elements(text: str, at: int) -> Generator[tuple[int, int], None, int]:
    """Find the elements of the array whose first one is at `at`; return where the array ends."""
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
