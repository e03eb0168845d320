"""The guide to publishing is true: its examples run as they stand, and what they publish lands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from replaylake import Lake

GUIDE = Path(__file__).parents[2] / "docs" / "publishing.md"


def test_the_examples_of_the_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        exec(compile(example, str(GUIDE), "exec"), scope)  # noqa: S102
    assert "0 quarantined" in capsys.readouterr().out
    counts = Lake(tmp_path / "lake").sql(
        "select split_part(episode_id, '/', 1) as run, count(*) as steps from cartpole.steps"
        " where run in ('by-hand', 'async') group by run order by run"
    )
    assert counts.rows() == [("async", 1), ("by-hand", 4)]
