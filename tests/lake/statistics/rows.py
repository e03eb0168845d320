"""Steps for the tests of statistics: good episodes, also over midnight, and strays of every kind."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete

SPEC = ArchiveSpec(name="demo", observation=Box(shape=(2,)), action=Discrete(n=3))
FIRST = datetime(2026, 2, 27, 23, 30, tzinfo=UTC)
Row = dict[str, Any]

_SMALL = st.sampled_from([-2.5, -1.0, 0.0, 0.25, 1.0, 3.0])
_NUMBERS = st.one_of(_SMALL, st.sampled_from([math.nan, math.inf, -math.inf]))
_REWARDS = st.one_of(_SMALL, st.none()) | _NUMBERS
_NAMES = st.sampled_from(["p", "q"])


@st.composite
def strays(draw: st.DrawFn) -> list[Row]:
    """Return one row that may be of no episode, without a step, or beside others of its step."""
    episode = draw(st.sampled_from([None, "a", "b", "e0"]))
    return [
        {
            "episode_id": episode,
            "step": draw(st.one_of(st.none(), st.integers(0, 4))),
            "observation": [draw(_NUMBERS), draw(_SMALL)],
            "action": draw(st.integers(0, 2)),
            "reward": draw(_REWARDS),
            "terminated": draw(st.booleans()),
            "truncated": draw(st.booleans()),
            "event_time": FIRST + timedelta(days=draw(st.integers(0, 4))),
            "policy_version": draw(st.none() | _NAMES),
            "action_log_prob": draw(st.sampled_from([None, -0.5, 0.0])),
            "source": draw(st.sampled_from(["s", "t"])),
            "agent_id": "x",
        }
    ]


@st.composite
def episodes(draw: st.DrawFn) -> list[Row]:
    """Return an episode that may cross dates and policies."""
    name, source, length = draw(st.integers(0, 3)), draw(st.sampled_from(["s", "t"])), draw(st.integers(1, 5))
    start = FIRST + timedelta(days=draw(st.integers(0, 3)))
    minutes = draw(st.sampled_from([1, 20, 24 * 60]))
    policies = draw(st.lists(_NAMES, min_size=1, max_size=2))
    ended = draw(st.sampled_from(["terminated", "truncated", "both", "open"]))
    rewards = draw(st.lists(st.one_of(_SMALL, _REWARDS), min_size=length, max_size=length))
    return [
        {
            "episode_id": f"e{name}",
            "step": step,
            "observation": [float(step), -1.5],
            "action": step % 2,
            "reward": rewards[step],
            "terminated": step == length - 1 and ended in ("terminated", "both"),
            "truncated": step == length - 1 and ended in ("truncated", "both"),
            "event_time": start + timedelta(minutes=minutes * step),
            "policy_version": policies[step % len(policies)],
            "action_log_prob": -0.5,
            "source": source,
            "agent_id": "x",
        }
        for step in range(length)
    ]


PARTS = st.one_of(episodes(), episodes(), strays())


def with_ids(parts: list[list[Row]], begun: int) -> list[Row]:
    """Give each row an id of its own, so that none is another one's duplicate."""
    rows = [row for part in parts for row in part]
    return [{**row, "event_id": f"id-{begun + place}"} for place, row in enumerate(rows)]
