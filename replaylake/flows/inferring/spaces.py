"""What was observed and what was done: the fields of both, and the spaces that hold their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from replaylake.flows.inferring.draft import Draft
from replaylake.flows.inferring.episodes import whole_form
from replaylake.flows.inferring.fields import Field, list_numbers, span
from replaylake.flows.inferring.groups import Group, dtype_of, groups_of

_MOST_NUMBERED = 10_000  # of actions that are numbers
_MOST_NAMED = 256  # of actions that are texts; more are hashed
_MOST_CATEGORIES = 20  # of a text in an observation
_OTHER = "other"


def decide_action(draft: Draft) -> None:
    """Decide the action and its space, by name."""
    groups = [group for group in groups_of(draft.rest()) if group.is_called("action")]
    for field in draft.candidates("action"):
        if _act(draft, field, draft.of_steps(field)):
            return
    if groups:
        _act_by_group(draft, groups[0])
        return
    draft.ask("action", "the field of what was done")
    draft.spaces["action"] = None


def act_by(draft: Draft, field: Field) -> bool:
    """Take a field for the action, whatever it is called; say whether it can be one."""
    return _act(draft, field, draft.of_steps(field))


def _act(draft: Draft, field: Field, held: Field) -> bool:
    choice: tuple[Any, Any, str] | None = None
    if held.kind == "bool":
        choice = (
            {"field": field.name, "values": {False: 0, True: 1}},
            {"type": "discrete", "n": 2},
            "booleans",
        )
    elif held.is_whole and 0 <= np.nanmin(held.numbers) and np.nanmax(held.numbers) < _MOST_NUMBERED:
        n = int(np.nanmax(held.numbers)) + 1
        choice = (whole_form(field), {"type": "discrete", "n": n}, f"whole numbers, {span(held)}")
    elif held.kind in ("int", "number"):
        choice = ([field.name], _box(1, [held]), f"numbers, {span(held)}")
    elif held.kind == "text":
        choice = _named_action(field, held)
    elif held.length is not None:
        choice = ({"list": field.name}, _list_space(held), f"lists of {held.length} numbers")
    if choice is None:
        return False
    form, space, why = choice
    draft.choose("action", form, [field], why)
    draft.spaces["action"] = space
    return True


def _named_action(field: Field, held: Field) -> tuple[Any, Any, str]:
    texts = sorted(map(str, held.categories))
    why = f"{len(texts):,} distinct texts"
    if len(texts) <= _MOST_NAMED:
        table = {text: place for place, text in enumerate(texts)}
        return {"field": field.name, "values": table}, {"type": "discrete", "n": len(texts)}, why
    slots = 1 << (4 * len(texts)).bit_length()
    hashed = f"{why}, hashed to {slots:,} slots: some share one"
    return {"hash": field.name, "slots": slots}, {"type": "discrete", "n": slots}, hashed


def _act_by_group(draft: Draft, group: Group) -> None:
    held = [draft.of_steps(one) for one in group.fields]
    draft.choose("action", [one.name for one in group.fields], group.fields, group.how)
    if all(one.is_whole and np.nanmin(one.numbers) >= 0 for one in held):
        nvec = [int(np.nanmax(one.numbers)) + 1 for one in held]
        draft.spaces["action"] = {"type": "multi_discrete", "nvec": nvec}
    else:
        draft.spaces["action"] = _box(len(held), held)


def _box(size: int, fields: list[Field]) -> dict[str, Any]:
    return {"type": "box", "shape": [size], "dtype": dtype_of(fields)}


def _list_space(field: Field) -> dict[str, Any]:
    numbers = np.array(list_numbers(field), np.float64)
    whole = bool((numbers == np.round(numbers)).all()) and numbers.min() >= 0
    if whole and field.length is not None and all(isinstance(one, list) for one in field.present):
        by_place = numbers.reshape(-1, field.length).max(axis=0)
        return {"type": "multi_discrete", "nvec": [int(one) + 1 for one in by_place]}
    return _box(field.length or 1, [field])


def decide_observations(draft: Draft) -> None:
    """Decide the observation by name, and the next one where it is of the same size."""
    size = _observe(draft, "observation")
    if size is not None:
        before = draft.spaces["observation"]
        following = _observe(draft, "next_observation")
        if following is not None and following != size:
            del draft.columns["next_observation"]
            draft.notes.append("A next observation is there, of another size than the observation: left out.")
        draft.spaces["observation"] = before


def _observe(draft: Draft, role: str) -> int | None:
    """Decide one of both; return the size of its space, 0 for one that is a number; None where none fits."""
    for field in draft.candidates(role):
        held = draft.of_steps(field)
        if held.length is not None:
            draft.choose(role, {"list": field.name}, [field], f"lists of {held.length} numbers")
            draft.spaces["observation"] = _box(held.length, [held])
            return held.length
    groups = [group for group in groups_of(draft.rest()) if group.is_called(role)]
    if groups:
        fields = groups[0].fields
        draft.choose(role, [one.name for one in fields], fields, f"{len(fields)} numbers, {groups[0].how}")
        draft.spaces["observation"] = _box(len(fields), [draft.of_steps(one) for one in fields])
        return len(fields)
    for field in draft.candidates(role):
        held = draft.of_steps(field)
        if held.is_whole and 0 <= np.nanmin(held.numbers) and np.nanmax(held.numbers) < _MOST_NUMBERED:
            draft.choose(role, whole_form(field), [field], f"whole numbers, {span(held)}")
            draft.spaces["observation"] = {"type": "discrete", "n": int(np.nanmax(held.numbers)) + 1}
            return 0
        if held.kind in ("int", "number"):
            draft.choose(role, [field.name], [field], f"numbers, {span(held)}")
            draft.spaces["observation"] = _box(1, [held])
            return 1
    return None


def decide_rest(draft: Draft) -> None:
    """Where nothing is called an observation: take what is left, of numbers and of few texts."""
    if "observation" in draft.columns:
        return
    groups = [group for group in groups_of(draft.rest()) if len(group.fields) > 1]
    if groups:
        fields = groups[0].fields
        draft.choose(
            "observation", [one.name for one in fields], fields, f"{len(fields)} numbers, {groups[0].how}"
        )
        draft.spaces["observation"] = _box(len(fields), list(fields))
        return
    parts, fields_used, size = _parts_of_rest(draft)
    if not parts:
        draft.ask("observation", "the fields of what was seen")
        draft.spaces["observation"] = None
        return
    draft.choose("observation", {"vector": parts}, fields_used, f"what is left: {size} numbers")
    numbers = [draft.of_steps(one) for one in fields_used if one.kind in ("int", "number")]
    draft.spaces["observation"] = _box(size, numbers)


def _parts_of_rest(draft: Draft) -> tuple[list[Any], list[Field], int]:
    parts: list[Any] = []
    used: list[Field] = []
    size = 0
    people = draft.candidates("user")  # who they are is no observation
    for field in draft.rest():
        held = draft.of_steps(field)
        if held.missing or held.distinct < 2 or field in people:
            continue
        if held.kind == "bool":
            parts.append({"field": field.name, "values": {False: 0, True: 1}})
            size += 1
        elif held.kind in ("int", "number") and not _is_count(held):
            parts.append(field.name)
            size += 1
        elif held.kind == "text" and held.distinct <= _MOST_CATEGORIES:
            names = [*sorted(map(str, held.categories)), *([] if _OTHER in held.categories else [_OTHER])]
            parts.append({"one_hot": field.name, "values": names, "other": _OTHER})
            size += len(names)
        else:
            continue
        used.append(field)
    return parts, used, size


def _is_count(field: Field) -> bool:
    """Say whether numbers only count the records."""
    return field.is_whole and field.distinct == len(field.values) and bool((np.diff(field.numbers) > 0).all())


def decide_reward(draft: Draft) -> None:
    """Decide the reward."""
    for field in draft.candidates("reward"):
        if field.kind in ("int", "number", "bool"):
            form: Any = field.name
            if field.kind == "bool":
                form = {"field": field.name, "values": {False: 0, True: 1}}
            missing = f"; {field.missing:,} missing" if field.missing else ""
            what = "booleans" if field.kind == "bool" else f"numbers, {span(field)}"
            draft.choose("reward", form, [field], f"{what}{missing}")
            return
    if draft.timeline is None or not draft.timeline.get("rewards"):
        draft.notes.append(
            "No field is called a reward: it stays null, and nothing is learned, until one is mapped."
        )


def decide_propensity(draft: Draft) -> None:
    """Decide how likely the action was, and which actions were possible."""
    _decide_probability(draft)
    n = (draft.spaces.get("action") or {}).get("n")
    for field in draft.candidates("action_mask"):
        if field.kind == "list" and all(isinstance(one, list) and len(one) == n for one in field.present):
            elements = {value for one in field.present for value in one}
            if all(isinstance(value, bool) for value in elements):
                draft.choose("action_mask", {"list": field.name}, [field], f"lists of {n} booleans")
            elif elements <= {0, 1}:
                form = {"list": field.name, "values": {0: False, 1: True}}
                draft.choose("action_mask", form, [field], f"lists of {n} zeros and ones")


def _decide_probability(draft: Draft) -> None:
    for role, low, high in (("action_probability", 0.0, 1.0), ("action_log_prob", -np.inf, 0.0)):
        for field in draft.candidates(role):
            held = draft.of_steps(field).numbers
            held = held[~np.isnan(held)]
            if field.kind in ("int", "number") and (held >= low).all() and (held <= high).all():
                draft.choose(role, field.name, [field], f"numbers, {span(field)}")
                return


def decide_information(draft: Draft) -> None:
    """Keep what is not used otherwise in `info`."""
    rest = [one for one in draft.rest() if one.kind != "nothing"]
    if rest:
        names = {one.name.removeprefix("$.") or "record": one.name for one in rest}
        draft.choose("info", {"struct": names}, rest, "what is not used otherwise is kept")
