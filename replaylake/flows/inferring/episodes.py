"""Which field tells episodes apart, which counts their steps, and which says that one has ended."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replaylake.flows.inferring.draft import Draft, counted
from replaylake.flows.inferring.fields import Field

_BOOKKEEPING = ("agent_id", "source", "policy_version")
_MOST_NAMES = 1000


def decide_episodes(draft: Draft) -> None:
    """Decide episode_id and step, where both are there; else they are a timeline's to make."""
    episodes = [one for one in draft.candidates("episode_id") if one.kind in ("int", "text")]
    steps = [one for one in draft.candidates("step") if one.is_whole and not one.missing]
    if not episodes or not steps:
        return
    episode, step = episodes[0], steps[0]
    codes = codes_of(episode)
    runs = 1 + int(np.count_nonzero(np.diff(codes)))
    together = "each contiguous" if runs == episode.distinct else "interleaved"
    draft.choose("episode_id", episode.name, [episode], f"{episode.distinct:,} distinct values, {together}")
    rising = _rising(codes, step.numbers)
    why = f"rises by 1 in {counted(rising, episode.distinct)} episodes, from {step.numbers.min():.0f}"
    draft.choose("step", whole_form(step), [step], why)


def codes_of(field: Field) -> NDArray[np.int64]:
    """Number the values of a field in the order of their first appearance."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(str(value), len(numbers)) for value in field.values], np.int64)


def _rising(codes: NDArray[np.int64], steps: NDArray[np.float64]) -> int:
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    broken = np.diff(steps[order]) != 1
    return len(np.unique(codes)) - len(np.unique(codes[order][1:][same & broken]))


def whole_form(field: Field) -> Any:
    """Return the form of whole numbers, also where a table writes them as 1.0."""
    if field.kind == "number" and field.is_text:
        return {"expr": f"col({json.dumps(field.name)}).cast(Float64)"}
    return field.name


def truth_form(field: Field) -> Any:
    """Return the form of true and false, also where they are written as 1 and 0; None for others."""
    if field.kind == "bool":
        return field.name
    held = set(field.numbers[~np.isnan(field.numbers)].tolist())
    if field.kind not in ("int", "number") or not held <= {0.0, 1.0} or not held:
        return None
    keys = {value if isinstance(value, str) else int(value): float(value) == 1 for value in field.categories}
    return {"field": field.name, "values": dict(sorted(keys.items(), key=lambda pair: pair[1]))}


def truths(field: Field) -> NDArray[np.bool_]:
    """Return where a field is true."""
    return np.array([str(value).lower() in ("true", "1", "1.0") for value in field.values], np.bool_)


def decide_ends(draft: Draft) -> None:
    """Decide terminated and truncated."""
    terminated = _truth(draft, "terminated")
    truncated = _truth(draft, "truncated")
    if terminated is None and truncated is None and "episode_id" not in draft.columns:
        draft.choose("terminated", {"const": True}, [], "nothing tells episodes: each record stands alone")
        draft.choose("truncated", {"const": False}, [], "nothing tells episodes")
        return
    if terminated is None:
        draft.ask(
            "terminated", "the field that is true where an episode has ended; {const: false} if none is"
        )
    if truncated is None:
        draft.choose("truncated", {"const": False}, [], "no field tells of episodes that were cut off")
        if terminated is not None:
            draft.notes.append(
                f"{terminated.name!r} is taken for an end. Where it is true at a time limit as well, say so "
                "by `truncated`, or what is learned near the limit is wrong."
            )
    elif "next_observation" not in draft.columns and truths(truncated).any():
        count = int(truths(truncated).sum())
        draft.notes.append(
            f"{count:,} records are truncated, and the file has no next observation: the gate refuses them."
        )


def _truth(draft: Draft, role: str) -> Field | None:
    found = [(one, truth_form(one)) for one in draft.candidates(role)]
    fitting = [(one, form) for one, form in found if form is not None and not one.missing]
    if not fitting:
        return None
    field, form = fitting[0]
    true = truths(field)
    what = "booleans" if field.kind == "bool" else "zeros and ones"
    why = f"{what}; true {int(true.sum()):,} times"
    if "episode_id" in draft.columns and true.any():
        last = _lasts(draft)
        why += f", at ends of episodes {counted(int((true & last).sum()), int(true.sum()))}"
    draft.choose(role, form, [field], why)
    return field


def _lasts(draft: Draft) -> NDArray[np.bool_]:
    """Say which records are the last of their episode."""
    episode = next(one for one in draft.sample.fields if one.name == draft.columns["episode_id"])
    codes = codes_of(episode)
    last = np.zeros(len(codes), np.bool_)
    _, places = np.unique(codes[::-1], return_index=True)
    last[len(codes) - 1 - places] = True
    return last


def decide_bookkeeping(draft: Draft) -> None:
    """Decide who acted by which policy, and an event's own id."""
    for role in _BOOKKEEPING:
        for field in draft.candidates(role)[:1]:
            if field.kind in ("text", "int") and field.distinct <= _MOST_NAMES:
                draft.choose(role, field.name, [field], f"{field.distinct:,} distinct values")
    for field in draft.candidates("event_id")[:1]:
        if field.kind in ("text", "int") and field.distinct == len(field.values):
            draft.choose("event_id", field.name, [field], f"{field.distinct:,} distinct values, no two alike")
