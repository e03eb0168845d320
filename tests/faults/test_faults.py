"""Seeded faults are caught, the right column is named, and clean experience is left alone.

Each kind of fault is tried in one world here, by turns; `python -m tests.faults` tries all in all.
"""

from __future__ import annotations

import pytest

from tests.faults.corpus.kinds import FAULTS
from tests.faults.corpus.log import Fault
from tests.faults.environments import worlds
from tests.faults.harness import scene, try_fault

CASES = [
    pytest.param(fault, world := fault.worlds[number % len(fault.worlds)], id=f"{world}-{fault.name}")
    for number, fault in enumerate(FAULTS)
]


@pytest.mark.parametrize(("fault", "world"), CASES)
def test_fault_is_caught_and_its_column_named(fault: Fault, world: str) -> None:
    outcome = try_fault(fault, scene(world))
    assert outcome.caught, f"of {sorted(outcome.truth.columns)} nothing; said: {list(outcome.news)}"


@pytest.mark.parametrize("world", worlds())
def test_clean_experience_raises_fewer_than_one_false_alarm_in_1000_rows(world: str) -> None:
    said = scene(world).said
    assert said.concerned < said.rows / 1000


@pytest.mark.parametrize("world", worlds())
def test_nothing_is_said_of_clean_experience_as_a_whole(world: str) -> None:
    assert scene(world).said.whole == []
