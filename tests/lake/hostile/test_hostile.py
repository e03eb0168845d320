"""Every statement of the list is refused: no file read or written that is not the views', in bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from lake import Lake, QueryLimits
from schemas.errors import UsageError
from tests.lake.archives import SPEC, append, make, row
from tests.lake.hostile.watching import watched

STATEMENTS = [
    line
    for line in (Path(__file__).parent / "statements.sql").read_text().splitlines()
    if line and not line.startswith("-- ")
]
CANARY = "canary-7f3a"
LIMITS = QueryLimits(memory="200MB", seconds=0.3, spill="0GB")
_MOST_SECONDS = 20  # of one statement, on a machine that is busy: without bounds they would take hours


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    other = lake.create("other", spec=SPEC.model_copy(update={"name": "other"}))
    append(other, row(0, info=f'"{CANARY}"'))
    archive.snapshot()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text(f"a,b\n{CANARY},2\n")
    (outside / "link").symlink_to("secret.csv")
    (tmp_path / "pwd").mkdir()
    return lake


def test_every_statement_is_refused(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside, pwd = tmp_path / "outside", tmp_path / "pwd"
    monkeypatch.chdir(pwd)
    monkeypatch.setenv("HOME", str(pwd))
    canary_frame = pl.DataFrame({"secret": [CANARY]})
    folders = [
        outside,
        pwd,
        lake.folder / "demo" / "snapshots",
        *(lake.folder / "other" / "steps").glob("date=*"),
    ]
    places = {
        "secret": outside / "secret.csv",
        "folder": outside,
        "lake": lake.folder,
        "file": next((lake.folder / "demo" / "steps").rglob("*.parquet")),
        "pwd": pwd,
    }
    everything = _listing(tmp_path)
    assert len(STATEMENTS) >= 250
    with watched(folders) as touched:
        (outside / "link").read_text()  # so that the watch itself is known to work
        for statement in STATEMENTS:
            text = statement.format(**places)
            started = time.monotonic()
            with pytest.raises(UsageError) as caught:
                lake.sql(text, limits=LIMITS).rows()
            assert CANARY not in str(caught.value)
            assert caught.value.message.count("\n") == 0, text
            assert time.monotonic() - started < _MOST_SECONDS, text
    assert touched == [str(outside / "secret.csv")]  # by the test itself, through the link
    assert _listing(tmp_path) == everything
    assert canary_frame.height == 1
    assert lake.sql("select count(*) from demo.steps").rows() == [(2,)]


def _listing(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()}
