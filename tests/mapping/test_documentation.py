"""The example of the documentation does what is said there."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.mapping import RecordMapping
from ingest.sources.options import SourceOptions
from ingest.sources.reading import open_records
from schemas.archive_spec import ArchiveSpec
from schemas.steps import Steps

_TEXT = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the first block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", _TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_maps_its_table(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(block("yaml"), encoding="utf-8")
    (tmp_path / "log.csv").write_text(block("csv"), encoding="utf-8")
    mapping = RecordMapping.load(tmp_path / "m.yaml")
    spec = ArchiveSpec.from_json(
        {"name": "shop", "observation": {"type": "box", "shape": [9]}, "action": {"type": "discrete", "n": 2}}
    )
    batches = open_records(str(tmp_path / "log.csv"), mapping.source or SourceOptions())
    made = [mapping.apply(batch, spec) for batch in batches]
    assert [one.refused for one in made] == [()]
    rows = Steps(made[0].table, spec).table.to_pylist()
    assert [row["reward"] for row in rows] == [1.0, 0.5]
    assert [row["terminated"] for row in rows] == [False, True]
    assert rows[0]["observation"] == [9.5, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert rows[0]["event_time"].isoformat() == "2026-06-01T12:00:00+00:00"
    assert rows[1]["action_log_prob"] is None
    assert rows[1]["info"] == '{"raw_city":"Bonn"}'
