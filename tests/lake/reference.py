"""Transitions the slow way: one Python row after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Transition(NamedTuple):
    """Hold what a learner gets of one step."""

    observation: float
    action: int
    reward: float
    next_observation: float | None
    terminated: bool
    follows: bool


def transitions(rows: Sequence[dict[str, Any]]) -> list[Transition]:
    """Return the transitions of rows with observations of one number, in the order of the key."""
    ordered = sorted(rows, key=_key)
    found = [_transition(ordered, place) for place in range(len(ordered))]
    return [
        transition._replace(follows=transition.follows and found[place + 1] is not None)
        for place, transition in enumerate(found)
        if transition is not None
    ]


def _key(row: dict[str, Any]) -> list[tuple[bool, Any]]:
    names = ("source", "agent_id", "episode_id", "step", "event_id")
    return [(row.get(name) is not None, row.get(name) or 0) for name in names]


def _transition(ordered: Sequence[dict[str, Any]], place: int) -> Transition | None:
    row = ordered[place]
    following = ordered[place + 1] if place + 1 < len(ordered) else None
    if following is not None and not _is_next_turn(row, following):
        following = None
    own = row.get("next_observation")
    if row.get("reward") is None:
        return None
    if not row["terminated"] and own is None and (row["truncated"] or following is None):
        return None
    after = own or (following["observation"] if following else None)
    ended = row["terminated"] or row["truncated"]
    return Transition(
        row["observation"][0],
        row["action"],
        row["reward"],
        after[0] if after else None,
        row["terminated"],
        following is not None and not ended,
    )


def _is_next_turn(row: dict[str, Any], following: dict[str, Any]) -> bool:
    place = ("source", "agent_id", "episode_id")
    same = all(row.get(name) is not None and row.get(name) == following.get(name) for name in place)
    steps = row.get("step"), following.get("step")
    return same and None not in steps and following["step"] == row["step"] + 1
