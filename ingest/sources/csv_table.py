"""From the bytes of a CSV table to columns of text, in bulk, and to what is no row of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.records import Records
from ingest.sources.byte_stream import ByteStream
from ingest.sources.csv_scan import CsvGrammar, CsvScanner
from ingest.sources.ids import checksums, fingerprint, record_ids
from ingest.sources.line_scan import octets
from ingest.sources.options import CsvOptions
from ingest.sources.pieces import Piece, Pieces, Problem, refused
from ingest.sources.places import Batch, Place, ReadLimits
from schemas.errors import DataError
from schemas.shown import shown

_BOM = b"\xef\xbb\xbf"
Mask = NDArray[np.bool_]


class CsvReader:
    """Read a table of text (see reading.Reader)."""

    def __init__(self, stream: ByteStream, options: CsvOptions, limits: ReadLimits, *, partial: bool) -> None:
        """Read the header; raise DataError where it names no columns."""
        self._options = options
        self._grammar = CsvGrammar(options)
        self._scan = CsvScanner(self._grammar, limits.record)
        self._pieces = Pieces(stream, limits, partial=partial)
        self._pieces.drop(_BOM)
        header = self._pieces.take(self._scan) if options.header else b""
        self._columns = _columns(header, options, self._grammar, stream.shown) if header is not None else ()
        first = None if header is None else self._pieces.first(self._scan)
        self.fingerprint = None if header is None or first is None else fingerprint(header, first)

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        return self._pieces.resume(place)

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the records; their ids name the file so."""
        for piece in self._pieces.read(self._scan):
            yield Batch(self._records(piece, file), piece.end)

    def _records(self, piece: Piece, file: str) -> Records:
        contents = piece.contents()
        problems = self._problems(piece, contents)
        kept = np.delete(np.arange(len(piece)), list(problems))
        chosen = contents if not problems else [contents[index] for index in kept.tolist()]
        return Records(
            fields=_with_nulls(self._frame(piece, chosen), self._options.nulls),
            ids=record_ids(file, piece.first + kept, checksums(chosen, len(chosen))),
            raw=chosen.__getitem__,
            refused=tuple(refused(contents[index], problem) for index, problem in sorted(problems.items())),
        )

    def _problems(self, piece: Piece, contents: Sequence[bytes]) -> dict[int, Problem]:
        """Return what is no row of the table, and why."""
        problems = dict(piece.found.problems)
        width = len(self._columns)
        if piece.found.is_plain:
            counts = _counts(piece, self._grammar, width)
        else:
            counts = np.array([len(self._grammar.split(content)) for content in contents])
        for index in np.flatnonzero(counts != width).tolist():
            problems.setdefault(index, _ragged(int(counts[index]), width))
        is_text = self._options.encoding == "latin-1" or piece.buffer.isascii() or _is_utf8(piece.buffer)
        if b"\0" in piece.buffer:
            for index, content in enumerate(contents):
                if b"\0" in content:
                    problems.setdefault(index, Problem("undecodable", "The record holds NUL bytes."))
        if not is_text:
            for index, content in enumerate(contents):
                if not _is_utf8(content):
                    problems.setdefault(index, Problem("undecodable", "The record is not UTF-8."))
        return problems

    def _frame(self, piece: Piece, chosen: list[bytes]) -> pl.DataFrame:
        """Return the values of the chosen records: from Polars where it reads as the grammar does."""
        if not piece.found.is_plain:
            return self._exact_frame(chosen)
        dense = len(chosen) == len(piece) and _is_dense(piece)
        buffer = piece.buffer[: piece.found.taken] if dense else b"\n".join(chosen)
        if self._options.encoding == "latin-1":
            buffer = buffer.decode("latin-1").encode()
        if buffer.startswith(_BOM) or (b"\r" in buffer and any(one.endswith(b"\r") for one in chosen)):
            return self._exact_frame(chosen)  # Polars would take these for no part of the values
        frame = _parse(buffer, self._columns, self._options)
        if frame is None or len(frame) != len(chosen) or any(frame.null_count().row(0)):
            return self._exact_frame(chosen)
        return frame

    def _exact_frame(self, chosen: Sequence[bytes]) -> pl.DataFrame:
        encoding = self._options.encoding
        rows = [[value.decode(encoding) for value in self._grammar.split(record)] for record in chosen]
        return pl.DataFrame(rows, schema=dict.fromkeys(self._columns, pl.String), orient="row")


def _parse(text: bytes, columns: Sequence[str], options: CsvOptions) -> pl.DataFrame | None:
    try:
        return pl.read_csv(
            text,
            has_header=False,
            schema=dict.fromkeys(columns, pl.String),
            separator=options.delimiter,
            quote_char=options.quote,
            empty_string_is_null=False,
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None


def _counts(piece: Piece, grammar: CsvGrammar, width: int) -> NDArray[np.int64]:
    """Return how many values each record has, where all quotes are regular."""
    found, buffer = piece.found, octets(piece.buffer)[: piece.found.taken]
    commas = np.flatnonzero(buffer == ord(grammar.delimiter))
    if grammar.quote is not None and grammar.quote in piece.buffer:
        quotes = np.flatnonzero(buffer == ord(grammar.quote))
        commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
    if width > 1 and len(commas) == len(piece) * (width - 1):
        table = commas.reshape(len(piece), width - 1)
        if ((table[:, 0] >= found.starts) & (table[:, -1] < found.ends)).all():
            return np.full(len(piece), width)
    within: NDArray[np.int64] = np.searchsorted(commas, found.ends) - np.searchsorted(commas, found.starts)
    return within + 1


def _is_dense(piece: Piece) -> bool:
    """Say whether nothing but one line's end lies between the records, and before and behind them."""
    found = piece.found
    gaps = np.append(found.starts[1:], found.taken) - found.ends
    return bool(len(piece) and found.starts[0] == 0 and (gaps <= 1).all())


def _with_nulls(frame: pl.DataFrame, nulls: Sequence[str]) -> pl.DataFrame:
    if not nulls:
        return frame
    every = pl.all()
    return frame.with_columns(pl.when(~every.is_in(list(nulls))).then(every))


def _columns(header: bytes, options: CsvOptions, grammar: CsvGrammar, what: str) -> tuple[str, ...]:
    """Return the names of the columns; raise DataError where they cannot be."""
    if not options.header:
        return options.columns or ()
    try:
        said = [value.decode(options.encoding) for value in grammar.split(header)]
    except UnicodeDecodeError as exc:
        raise DataError(
            f"The header of {what!r} is not UTF-8.", hint="Say `encoding: latin-1`, or what it is, under csv."
        ) from exc
    names = tuple(name or f"column_{number}" for number, name in enumerate(said, start=1))
    if options.columns is not None:
        if len(options.columns) != len(names):
            raise DataError(
                f"{what!r} has {len(names)} columns, and {len(options.columns)} names are given for them.",
                hint="Name each of them in `columns`, or leave it out.",
            )
        return options.columns
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        raise DataError(
            f"The header of {what!r} names {shown(twice[0])} twice." if twice else f"{what!r} has no header.",
            hint="Give the names of the columns as `columns` under csv.",
        )
    return names


def _ragged(count: int, width: int) -> Problem:
    return Problem("ragged(csv)", f"The record has {count} values, and the table {width} columns.")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
