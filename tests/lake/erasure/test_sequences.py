"""After any sequence of appends, compactions, retention and erasures the rows are those of a plain list."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import read_steps
from lake.maintenance.compact import compact_archive
from lake.maintenance.erase import erase
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from lake.maintenance.retain import retain
from tests.lake.archives import append, make
from tests.lake.erasure.lakes import found
from tests.lake.retention.days import AGED, TODAY, on_day

KEPT = 10  # days
SPEC = AGED.model_copy(update={"hot_days": 2, "retention_days": KEPT})
Row = tuple[int, str, date]  # a step, its agent and its day
DOINGS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 12)),
    st.tuples(st.just("retain"), st.integers(0, 12)),
    st.tuples(st.sampled_from(["compact", "snapshot", "erase"]), st.integers(0, 2)),
)


@settings(max_examples=5)
@given(st.lists(DOINGS, min_size=4, max_size=9))
def test_the_rows_are_those_of_a_list(
    tmp_path_factory: pytest.TempPathFactory, doings: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("sequence")
    _, archive = make(folder, SPEC)
    now, number = TODAY, 0
    expected: list[Row] = []
    gone: set[str] = set()
    for doing, amount in doings:
        if doing == "append":
            names = [f"MARKER{agent}" for agent in range(3)]
            rows = [
                (number + place, name, TODAY - timedelta(days=amount)) for place, name in enumerate(names)
            ]
            append(archive, *(on_day(amount, step, agent_id=name, episode_id=name) for step, name, _ in rows))
            expected += [one for one in rows if one[1] not in gone]
            number += len(rows)
        elif doing == "compact":
            compact_archive(archive)
        elif doing == "snapshot" and expected:
            archive.snapshot()
        elif doing == "retain":
            now = max(now, TODAY + timedelta(days=amount))
            retain(archive, today=now)
            expected = [one for one in expected if one[2] >= now - timedelta(days=KEPT)]
        elif doing == "erase":
            who = f"MARKER{amount}"
            erase(archive, plan_erasure(archive, Criterion(agent=who), "asked for"))
            expected = [one for one in expected if one[1] != who]
            gone.add(who)
        held = read_steps(archive).to_pylist()
        assert (
            sorted((row["step"], row["agent_id"], date.fromisoformat(row["date"])) for row in held)
            == expected
        )
    if len(gone) == 3:
        assert found(folder) == []
