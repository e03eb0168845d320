"""What is kept of dates and put together says what a slow reference says of all rows, whatever came when."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive
from tests.lake.archives import append, make
from tests.lake.statistics.reference import expected, told
from tests.lake.statistics.rows import FIRST, PARTS, SPEC, Row, with_ids

_DAYS = st.none() | st.integers(-1, 6).map(lambda days: FIRST.date() + timedelta(days=days))
_CHOICES: st.SearchStrategy[Row] = st.sampled_from(
    [{}, {}, {"source": "s"}, {"policy_version": "p"}, {"policy_version": "q", "source": "t"}]
)
_ACTS = st.lists(
    st.one_of(
        st.lists(PARTS, min_size=1, max_size=4),
        st.just("compact"),
        st.tuples(_DAYS, _DAYS, _CHOICES),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(_ACTS, st.tuples(_DAYS, _DAYS, _CHOICES))
def test_any_order_of_appends_compactions_and_questions(acts: list[Any], last: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder), SPEC)
        rows: list[Row] = []
        for act in acts:
            if act == "compact":
                archive.compact()
            elif isinstance(act, list):
                came = with_ids(act, len(rows))
                append(archive, *came)
                rows += came
            else:
                check(archive, rows, *act)
        check(archive, rows, *last)
        kept = told(archive.statistics(by="day"))
        for file in list(archive.store.files("statistics")):
            archive.store.remove(file.name)
        again = told(lake.archive("demo").statistics(by="day"))
        assert_alike(kept, again)
        assert_alike(again, expected(rows, None, None, {}))


def check(archive: Archive, rows: list[Row], since: date | None, until: date | None, chosen: Row) -> None:
    """Compare the statistics with the reference's."""
    if since is not None and until is not None and since > until:
        since, until = until, since
    found = archive.statistics(
        since, until, by="day", policy=chosen.get("policy_version"), source=chosen.get("source")
    )
    assert_alike(told(found), expected(rows, since, until, chosen))


def assert_alike(found: Any, wanted: Any) -> None:
    """Compare numbers up to rounding, however deep they are."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            assert_alike(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted), (found, wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_alike(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    else:
        assert found == wanted
