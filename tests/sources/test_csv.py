"""CSV: every column as text, as it stood; what is no row is refused; pieces never show."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.csv_scan import CsvGrammar
from ingest.sources.options import CsvOptions
from ingest.sources.places import ReadLimits
from tests.sources.reads import read, rows_of

PROPERTY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
VALUES = st.text(st.sampled_from('ab",\n\r é\ufeff;\t'), max_size=6)
BITS = [b'"', b",", b"\n", b"\r\n", b"a", b"bc", b'""', b"\xff", b"\0", b"\xef\xbb\xbf"]
SOUP = st.lists(st.sampled_from(BITS))


def write(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


@PROPERTY
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=30), end=st.sampled_from(["\n", "\r\n"]))
def test_a_table_reads_as_it_was_written(tmp_path: Path, rows: list[tuple[str, ...]], end: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("p", "q", "r"), *rows])
    content = text.getvalue().encode()
    found = read(write(tmp_path, content))
    assert [tuple(record.values()) for record in found.records] == rows
    assert found.refused == []
    assert rows_of(content)[1:] == [list(row) for row in rows]


@PROPERTY
@given(soup=SOUP, chunk=st.integers(1, 40), ended=st.booleans())
def test_pieces_do_not_show(tmp_path: Path, soup: list[bytes], chunk: int, ended: bool) -> None:
    path = write(tmp_path, b"p,q\n" + b"".join(soup) + b"\n" * ended)
    whole = read(path)
    parts = read(path, limits=ReadLimits(chunk=chunk))
    assert (parts.records, parts.ids, parts.raw) == (whole.records, whole.ids, whole.raw)
    assert parts.refused == whole.refused


@PROPERTY
@given(soup=SOUP, chunk=st.integers(1, 40))
def test_a_reading_goes_on_where_another_stood(tmp_path: Path, soup: list[bytes], chunk: int) -> None:
    path = write(tmp_path, b"p,q\n" + b"".join(soup))
    whole = read(path, limits=ReadLimits(chunk=chunk))
    for place in whole.places[:-1]:
        rest = read(path, place)
        assert rest.ids == whole.ids[len(whole.ids) - len(rest.ids) :]
        numbered = len(rest.records) + len(rest.refused)
        assert place.record + numbered == len(whole.records) + len(whole.refused)
    if whole.places:
        assert read(path, whole.places[-1]).raw == []


@PROPERTY
@given(soup=SOUP, chunk=st.integers(1, 40))
def test_the_bulk_reads_as_the_grammar_does(tmp_path: Path, soup: list[bytes], chunk: int) -> None:
    content = b"".join(soup)
    grammar = CsvGrammar(CsvOptions())
    exact = grammar.scan_exactly(content, True, 1 << 20)
    lines = [content[start:end] for start, end in zip(exact.starts, exact.ends, strict=True)]
    fine = [line for index, line in enumerate(lines) if index not in exact.problems]
    split = [grammar.split(line) for line in fine]
    texts = [values for line, values in zip(fine, split, strict=True) if len(values) == 2 and _is_text(line)]
    found = read(write(tmp_path, b"p,q\n" + content), limits=ReadLimits(chunk=chunk))
    assert [list(record.values()) for record in found.records] == [[v.decode() for v in row] for row in texts]
    assert len(found.refused) == len(lines) - len(texts)


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in line
