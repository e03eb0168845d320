"""Random mixes of ingests, suites and replays end as the plain model says, and every event stands once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lake import QuarantineChoice
from replaylake.flows.quarantine import replay_quarantine
from tests.ingest.samples import make_archive, make_stream, step
from tests.quarantine.reference import Event, Model
from tests.quarantine.samples import at, ingest, origins

EVENTS = st.lists(
    st.none() | st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 7]), st.sampled_from([1.0, 30.0, 99.0])),
    min_size=1,
    max_size=6,
)
REASONS = st.sampled_from([None, None, "between(reward)", "key_conflict", "undecodable"])
ACTIONS = st.lists(
    st.tuples(st.just("ingest"), EVENTS)
    | st.tuples(st.just("suite"), st.sampled_from([10.0, 50.0, 100.0]))
    | st.tuples(st.just("replay"), REASONS, st.none() | st.integers(1, 3), st.sampled_from([1, 100])),
    min_size=2,
    max_size=7,
)


def record(event: Event) -> dict[str, Any] | bytes:
    """Write an event as a message."""
    if event is None:
        return b"\x00garbage"
    number, action, reward = event
    return step(number, action=action, reward=reward)


def suite(limit: float) -> dict[str, Any]:
    """Return a suite that refuses rewards over the limit."""
    kwargs = {"column": "reward", "max_value": limit}
    rule = {"type": "expect_column_values_to_be_between", "kwargs": kwargs}
    return {"name": "limit", "expectations": [rule]}


@settings(max_examples=20, deadline=None)
@given(actions=ACTIONS)
def test_every_event_stands_once_and_where_the_model_says(actions: list[Any]) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        archive = make_archive(Path(folder))
        archive.change_suite(suite(model.limit))
        stream, topic = make_stream(Path(folder))
        with stream:
            for action, *given_ in actions:
                if action == "ingest":
                    model.ingest(given_[0])
                    ingest(archive, stream, topic, *map(record, given_[0]))
                elif action == "suite":
                    model.limit = given_[0]
                    archive.change_suite(suite(model.limit))
                else:
                    reason, limit, batch_rows = given_
                    choice = QuarantineChoice(reasons=(reason,) if reason else ())
                    model.replay(reason, limit)
                    replay_quarantine(archive, choice, limit=limit, batch_rows=batch_rows)
        assert origins(archive, "steps") == model.landed()
        assert origins(archive, "quarantine") == model.quarantined(None)
        for how in ("landed", "duplicate"):
            found = origins(archive, "quarantine_all", f"resolved_as = '{how}'")
            assert found == model.quarantined(how)
        resolved = model.quarantined("duplicate")
        everything = origins(archive, "steps") + origins(archive, "quarantine") + resolved + model.dropped
        assert everything == at(*range(model.sent))
