"""Logs and specs at random: crowded, so that what is rare in life happens in every other example."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ingest.timeline import TimelineSpec
from tests.timeline.events import Line

_SECONDS = st.integers(0, 40).map(lambda tenths: tenths / 10)
_KINDS = ["view"] * 6 + ["look", "click", "click", "buy", "logout", "cut", "scroll", "x"]
_VALUES = st.sampled_from([-1.5, 0.1, 0.2, 0.7, 1.0, 1e9])


def specs() -> st.SearchStrategy[TimelineSpec]:
    """Draw a timeline of up to two kinds of reward."""
    click = st.fixed_dictionaries(
        {
            "values": st.just("click"),
            "key": st.just("impression"),
            "window": _SECONDS,
            "before": st.one_of(st.just(0), _SECONDS),
            "combine": st.sampled_from(["sum", "last", "max", "first"]),
        }
    )
    buy = st.fixed_dictionaries(
        {
            "values": st.just(["buy", "rebuy"]),
            "key": st.just("order"),
            "window": _SECONDS,
            "value": st.sampled_from(["reward", 2.5]),
            "combine": st.sampled_from(["sum", "last", "max", "first"]),
        }
    )
    return st.fixed_dictionaries(
        {
            "session": st.sampled_from([["user"], ["user", "order"]]),
            "timeout": st.integers(1, 40).map(lambda tenths: tenths / 10),
            "lateness": _SECONDS,
            "kind": st.just("kind"),
            "steps": st.just(["view", "look"]),
            "ends": st.just(
                [{"values": "logout", "terminated": True}, {"values": "cut", "terminated": False}]
            ),
            "rewards": st.tuples(click, buy).map(list) | st.tuples(click).map(list),
            "ignores": st.just(["scroll"]),
            "default_reward": st.sampled_from([0.0, None]),
            "last_step": st.sampled_from(["fold", "keep"]),
            "gap": st.one_of(st.none(), _SECONDS),
        }
    ).map(TimelineSpec.from_json)


@st.composite
def logs(draw: st.DrawFn, most: int = 40) -> list[Line]:
    """Draw a log whose times go up and down, with ties, and with events that come twice."""
    at = 0.0
    lines: list[Line] = []
    for number in range(draw(st.integers(0, most))):
        if lines and draw(st.integers(0, 11)) == 0:
            lines.append(draw(st.sampled_from(lines)))  # the very same event again
            continue
        at = max(0.0, at + draw(st.integers(-20, 24)) / 10)
        lines.append(draw(_line(number, at)))
    return lines


@st.composite
def _line(draw: st.DrawFn, number: int, at: float) -> Line:
    kind = draw(
        st.sampled_from(["view"] * 6 + ["look", "click", "click", "buy", "logout", "cut", "scroll", "x"])
    )
    fields: dict[str, Any] = {
        "event_id": draw(st.one_of(st.none(), st.sampled_from(["i", "j"]), st.just(f"e{number}"))),
        "impression": draw(st.sampled_from(["p", "q", "r", None])),
        "order": draw(st.sampled_from(["1", "2/", None])),
        "source": draw(st.sampled_from([None, None, "web"])),
        "reward": draw(st.one_of(st.none(), _VALUES)),
    }
    if kind in ("view", "look"):
        seen = (float(number), float(round(at * 10)))
        fields |= {
            "observation": draw(st.sampled_from([seen] * 9 + [None, (1.0,)])),
            "action": draw(st.sampled_from([0, 1, 2, 2, 1, 0, None])),
            "next_observation": draw(st.sampled_from([None, None, (float(-number - 1), 0.5)])),
            "terminated": draw(st.sampled_from([None] * 8 + [False, True])),
            "truncated": draw(st.sampled_from([None] * 8 + [False, True])),
            "action_probability": draw(st.sampled_from([None, 0.5])),
            "info": draw(st.sampled_from([None, "{}", '{"a": [1, "}"]}'])),
        }
    moment = draw(st.sampled_from([at] * 30 + [None, -1e9]))
    return Line(kind, draw(st.sampled_from(["a", "a", "b", "%", None])), moment, **fields)
