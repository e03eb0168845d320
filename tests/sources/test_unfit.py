"""Rows that do not follow a spec are told from those that do, as one by one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.unfit import split_unfit
from schemas.errors import StepsError
from schemas.steps import Steps
from tests.sources.doors import SPEC

GOOD = {"event_id": "e", "observation": [1.0, 2.0], "action": 1.0, "terminated": False, "truncated": False}
ROWS: list[dict[str, Any]] = [
    GOOD,
    GOOD | {"observation": [1.0]},
    GOOD | {"observation": None},
    GOOD | {"observation": [1.0, None]},
    GOOD | {"action": 0.5},  # a fraction, where whole numbers are wanted
    GOOD | {"event_id": None},
    GOOD | {"event_id": None, "episode_id": "e", "step": 1},
    GOOD | {"terminated": None},
]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(range(len(ROWS))), min_size=1, max_size=20))
def test_each_row_fares_as_it_does_alone(chosen: list[int]) -> None:
    names = [*GOOD, "episode_id", "step"]
    table = pa.table({name: [ROWS[number].get(name) for number in chosen] for name in names})
    fits = []
    for place in range(len(chosen)):
        try:
            Steps(table.slice(place, 1), SPEC)
        except StepsError:
            continue
        fits.append(place)
    steps, rows, unfit = split_unfit(table, SPEC)
    assert rows.tolist() == fits and len(steps) == len(fits)
    assert sorted([*fits, *(place for place, _ in unfit)]) == list(range(len(chosen)))


def test_where_no_row_can_fit_it_is_told_at_once() -> None:
    with pytest.raises(StepsError, match="'mood'"):
        split_unfit(pa.table({name: [value] for name, value in {**GOOD, "mood": 1}.items()}), SPEC)
    with pytest.raises(StepsError, match="action"):
        split_unfit(pa.table({name: [value] for name, value in {**GOOD, "action": "x"}.items()}), SPEC)
