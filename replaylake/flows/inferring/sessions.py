"""Where a log holds events and no counted steps: the sessions that a timeline makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from replaylake.flows.inferring.draft import Draft, Evidence, blank
from replaylake.flows.inferring.fields import Field
from replaylake.flows.inferring.words import plain_name
from schemas.step import RESERVED_COLUMNS

_MOST_KINDS = 50
_REWARDS = frozenset(
    "click clicks clicked purchase purchased buy order conversion convert like play rating checkout".split()
)
_ENDS = frozenset("logout log_out end ended session_end close exit leave quit".split())
_IGNORED = frozenset("heartbeat ping debug keepalive".split())
_WINDOW = "1h"


def decide_sessions(draft: Draft) -> None:
    """Decide a timeline where steps are not counted, and who and when are known."""
    if "step" in draft.columns or "event_time" not in draft.columns:
        return
    keys = [*draft.candidates("episode_id"), *draft.candidates("user")]
    keys = [one for one in keys if one.kind in ("int", "text") and not one.missing]
    if not keys:
        return
    key = keys[0]
    name = _column(draft, key)
    draft.evidence.append(Evidence("timeline.session", key.name, f"{key.distinct:,} distinct values"))
    draft.timeline = {"session": name, "timeout": "30m"}
    kinds = [one for one in draft.candidates("kind") if one.kind == "text" and not one.missing]
    if kinds and 2 <= kinds[0].distinct <= _MOST_KINDS:
        _tell_kinds(draft, kinds[0])


def _tell_kinds(draft: Draft, kind: Field) -> None:
    found = {str(value): plain_name(str(value)) for value in kind.categories}
    ends = sorted(value for value, word in found.items() if word in _ENDS)
    ignored = sorted(value for value, word in found.items() if word in _IGNORED)
    rewards = sorted(value for value, word in found.items() if word in _REWARDS)
    steps = sorted(set(found) - {*ends, *ignored, *rewards})
    if not steps or not (ends or ignored or rewards) or draft.timeline is None:
        return
    draft.timeline |= {"kind": _column(draft, kind), "steps": steps}
    counts = ", ".join(f"{value} {kind.categories[value]:,}" for value in steps)
    draft.evidence.append(Evidence("timeline.steps", kind.name, f"events that are steps: {counts}"))
    draft.steps = np.array([str(value) in steps for value in kind.values], np.bool_)
    if ends:
        draft.timeline["ends"] = [{"values": ends, "terminated": True}]
        draft.evidence.append(Evidence("timeline.ends", kind.name, f"named as ends: {', '.join(ends)}"))
    if ignored:
        draft.timeline["ignores"] = ignored
        draft.evidence.append(Evidence("timeline.ignores", kind.name, ", ".join(ignored)))
    if rewards:
        _tell_rewards(draft, kind, rewards)


def _tell_rewards(draft: Draft, kind: Field, rewards: list[str]) -> None:
    joined = _joining(draft, kind, rewards)
    entry: dict[str, Any] = {"values": rewards, "window": _WINDOW, "value": 1.0}
    said = ", ".join(f"{value} {kind.categories[value]:,}" for value in rewards)
    if joined is None:
        entry["key"] = blank("the column that an event and its reward have alike")
        draft.undecided.append("timeline.rewards: the column that an event and its reward have alike")
        draft.evidence.append(Evidence("timeline.rewards", kind.name, f"named as rewards: {said}"))
    else:
        entry["key"] = _column(draft, joined, used=False)
        why = f"named as rewards: {said}; each counts 1 within {_WINDOW}"
        draft.evidence.append(Evidence("timeline.rewards", f"{kind.name}, {joined.name}", why))
    if draft.timeline is not None:
        draft.timeline["rewards"] = [entry]


def _joining(draft: Draft, kind: Field, rewards: list[str]) -> Field | None:
    """Find the field of the things that are shown and then, some of them, clicked."""
    is_reward = np.array([str(value) in rewards for value in kind.values], np.bool_)
    for one in draft.candidates("item"):
        shown = {value for value, reward in zip(one.values, is_reward, strict=True) if not reward}
        clicked = {value for value, reward in zip(one.values, is_reward, strict=True) if reward}
        if None not in clicked and clicked <= shown:
            return one
    return None


def _column(draft: Draft, field: Field, *, used: bool = True) -> str:
    """Make a column of the mapping's own, which the timeline reads."""
    name = plain_name(field.name) or "key"
    if name in RESERVED_COLUMNS or name in draft.columns:
        name = f"{name}_key"
    draft.columns[name] = {"field": field.name, "type": "string"}
    if used:
        draft.used.add(field.name)
    return name
