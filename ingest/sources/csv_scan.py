"""Where the records of a CSV table are, newlines in quoted values and all.

A value is quoted where its first character is the quote; within it the quote stands doubled. What is
quoted otherwise is no record: such a line is refused alone, and the next one begins afresh, so that a stray
quote never swallows what follows it. A quote in the middle of a value that is not quoted is a character.

Where all quotes of a buffer are regular, a newline ends a record if an even number of them comes before it:
that is looked at in bulk. Where they are not, the grammar is followed record by record.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ingest.sources.line_scan import octets, spans_between
from ingest.sources.options import CsvOptions
from ingest.sources.pieces import Found, Problem

_NEWLINE, _RETURN = ord("\n"), ord("\r")
_MALFORMED = Problem("malformed(csv)", "A quoted value does not end, or goes on behind its quote.")


class CsvGrammar:
    """Hold what a table's delimiter and quote make of bytes."""

    def __init__(self, options: CsvOptions) -> None:
        self.delimiter = options.delimiter.encode()
        self.quote = None if options.quote is None else options.quote.encode()
        delimiter = re.escape(self.delimiter)
        plain = rb"[^%b\n]*+" % delimiter
        value = plain
        if self.quote is not None:
            quote = re.escape(self.quote)
            inner = rb"[^%b]*+(?:%b[^%b]*+)*+" % (quote, quote * 2, quote)
            value = rb"(?:%b%b%b(?=%b|\r?\n|\r?\Z)|(?!%b)%b)" % (quote, inner, quote, delimiter, quote, plain)
            self._open = re.compile(
                rb"(?:%b%b)*+%b%b%b?\r?\Z" % (value, delimiter, quote, inner, quote), re.DOTALL
            )
        self._record = re.compile(rb"%b(?:%b%b)*+\r?(?:\n|\Z)" % (value, delimiter, value))
        self._value = re.compile(value)

    def split(self, record: bytes) -> list[bytes]:
        """Return the values of a record that is well formed, without their quotes."""
        values = []
        at = 0
        while (match := self._value.match(record, at)) is not None:
            value = match[0]
            if self.quote is not None and value[:1] == self.quote:
                value = value[1:-1].replace(self.quote * 2, self.quote)
            values.append(value)
            if match.end() == len(record):
                break
            at = match.end() + 1
        return values

    def scan_exactly(self, buffer: bytes, at_end: bool, limit: int) -> Found:
        """Find records one by one."""
        starts: list[int] = []
        ends: list[int] = []
        problems: dict[int, Problem] = {}
        at = 0
        while at < len(buffer):
            match = self._record.match(buffer, at)
            newline = buffer.find(b"\n", at)
            if match is not None and self._is_whole(match, newline, at_end, limit):
                end = match.end()
            elif not at_end and (newline < 0 or self._may_go_on(buffer, at, match, limit)):
                break
            else:
                problems[len(starts)] = _MALFORMED
                end = newline + 1 if newline >= 0 else len(buffer)
            starts.append(at)
            ends.append(_line_end(buffer, at, end))
            if starts[-1] == ends[-1]:  # blank
                del starts[-1], ends[-1]
            at = end
        return Found(np.array(starts, np.int64), np.array(ends, np.int64), at, problems, is_plain=False)

    def _is_whole(self, match: re.Match[bytes], newline: int, at_end: bool, limit: int) -> bool:
        """Say whether a match is all of a record. One of several lines that is too long is taken for none."""
        start, end = match.span()
        if not at_end and not match.string.endswith(b"\n", start, end):
            return False
        return end - start <= limit or newline < 0 or newline == end - 1

    def _may_go_on(self, buffer: bytes, at: int, match: re.Match[bytes] | None, limit: int) -> bool:
        """Say whether the buffer ends within a record, which may still be short enough."""
        return len(buffer) - at <= limit and (match is not None or self._open.match(buffer, at) is not None)


class CsvScanner:
    """Find the records of a table (see pieces.Scanner)."""

    def __init__(self, grammar: CsvGrammar, limit: int) -> None:
        self._grammar = grammar
        self._limit = limit

    def __call__(self, buffer: bytes, at_end: bool) -> Found:
        """Return the records that are complete."""
        newlines = np.flatnonzero(octets(buffer) == _NEWLINE)
        quote = self._grammar.quote
        if quote is None or quote not in buffer:
            return spans_between(buffer, newlines, at_end)
        quotes = np.flatnonzero(octets(buffer) == ord(quote))
        outside = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        if not self._are_regular(buffer, quotes, at_end):
            return self._grammar.scan_exactly(buffer, at_end, self._limit)
        found = spans_between(buffer, outside, at_end)
        longest = int((found.ends - found.starts).max()) if len(found.starts) else 0
        if max(longest, len(buffer) - found.taken) > self._limit:
            return self._grammar.scan_exactly(buffer, at_end, self._limit)
        return found

    def _are_regular(self, buffer: bytes, quotes: NDArray[np.int64], at_end: bool) -> bool:
        """Say whether every quote that can be seen begins or ends a value, or is half of a double one."""
        if at_end and len(quotes) % 2:
            return False
        padded = np.concatenate([[_NEWLINE], octets(buffer), [_NEWLINE, _NEWLINE]]).astype(np.uint8)
        delimiter = ord(self._grammar.delimiter)
        openers, closers = quotes[::2], quotes[1::2]
        before = padded[openers]
        doubled = np.zeros(len(openers), dtype=bool)
        doubled[1:] = openers[1:] - 1 == closers[: len(openers) - 1]
        if not (doubled | (before == delimiter) | (before == _NEWLINE)).all():
            return False
        after, second = padded[closers + 2], padded[closers + 3]
        doubled = np.zeros(len(closers), dtype=bool)
        doubled[: len(openers) - 1] = openers[1:] - 1 == closers[: len(openers) - 1]
        ends = (after == _NEWLINE) | ((after == _RETURN) & (second == _NEWLINE))
        return bool((doubled | (after == delimiter) | ends).all())


def _line_end(buffer: bytes, start: int, end: int) -> int:
    """Return where a record ends, without the line's end."""
    if end > start and buffer[end - 1] == _NEWLINE:
        end -= 1
    return end - 1 if end > start and buffer[end - 1] == _RETURN else end
