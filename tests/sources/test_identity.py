"""Tables without a mapping: columns that are called as the step's are."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest import MemoryStream
from schemas.errors import UsageError
from tests.sources.doors import START, decoded, faults, publish

HEAD = "episode_id,step,observation_0,observation_1,action,reward,terminated,truncated"


def test_a_table_of_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"{HEAD},event_time,action_probability,next_observation\n"
        f'e1,0,0.5,1.5,2,1.0,false,false,{START},0.25,"[1.5, 2.5]"\n'
        f"e1,1,1.5,2.5,0,,true,false,{START + 1},,\n"
        f"e1,2,x,2.5,0,,true,false,{START + 1},,\n"
    )
    stream = MemoryStream()
    report = publish(stream, path)
    assert (report.records, report.steps, report.refused) == (3, 2, 1)
    first, second = decoded(stream).table.to_pylist()
    assert (first["observation"], first["next_observation"]) == ([0.5, 1.5], [1.5, 2.5])
    assert (first["event_id"], first["step"], second["reward"]) == (None, 0, None)
    assert first["event_time"].timestamp() == START
    assert second["next_observation"] is None and second["terminated"] is True
    [(raw, reason)] = faults(stream)
    assert raw.startswith(b"e1,2,x") and reason == "mapping(observation)"


def test_a_typed_table(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "episode_id": ["e", "e"],
            "step": [0, 1],
            "observation": [[1.0, 2.0], [3.0, 4.0]],
            "action": [0, 1],
            "reward": [0.5, None],
            "terminated": [False, True],
            "truncated": [False, False],
            "event_time": pl.Series([START * 1000, START * 1000 + 1]).cast(pl.Datetime("ms", "UTC")),
            "quality_score": [1.0, 1.0],
            "date": ["2026-05-28", "2026-05-28"],
        }
    ).write_parquet(path)
    stream = MemoryStream()
    assert publish(stream, path).steps == 2
    rows = decoded(stream).table.to_pylist()
    assert [row["observation"] for row in rows] == [[1.0, 2.0], [3.0, 4.0]]
    assert rows[0]["event_time"].timestamp() == START


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (f"{HEAD},mood", "column 'mood'"),
        (HEAD.replace("_1", "_2"), "not numbered from 0"),
        ("a,b", "column 'a'"),
    ],
)
def test_columns_that_the_archive_does_not_have(tmp_path: Path, header: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    with pytest.raises(UsageError, match=said):
        publish(MemoryStream(), path)
