"""The suite that is proposed: rules that the sample follows, all of them warnings."""

from __future__ import annotations

from typing import Any

import numpy as np

from replaylake.flows.inferring.draft import Draft
from replaylake.flows.inferring.fields import Field, span

_MOST_NAMES = 20


def suite_of(name: str, draft: Draft) -> dict[str, Any]:
    """Return a suite of Great Expectations' form; what the spec implies is not repeated in it.

    A sample shows what is usual, not what is possible, so that no rule of it refuses a row.
    """
    rules = []
    fields = {one.name: one for one in draft.sample.fields}
    for column in ("episode_id", "event_time", "policy_version"):
        field = fields.get(_field_of(draft.columns.get(column)))
        if field is not None and not field.missing:
            rules.append(
                _rule("not_be_null", column, {}, f"none is missing in {len(field.values):,} records")
            )
    reward = fields.get(_field_of(draft.columns.get("reward")))
    if reward is not None and reward.kind in ("int", "number"):
        rules += _reward_rules(reward)
    for column in ("source", "policy_version"):
        field = fields.get(_field_of(draft.columns.get(column)))
        if field is not None and 0 < field.distinct <= _MOST_NAMES:
            names = sorted(map(str, field.categories))
            rules.append(_rule("be_in_set", column, {"value_set": names}, f"{len(names)} distinct values"))
    return {
        "name": name,
        "expectations": rules,
        "meta": {"proposed_from": draft.sample.path, "records": draft.sample.records},
    }


def _reward_rules(reward: Field) -> list[dict[str, Any]]:
    held = reward.numbers[~np.isnan(reward.numbers)]
    rules = []
    if not reward.missing and len(held) == len(reward.values):
        rules.append(_rule("not_be_null", "reward", {}, f"none is missing in {len(held):,} records"))
    if len(held):
        low, high = float(held.min()), float(held.max())
        room = (high - low) or max(abs(high), 1.0)
        bounds = {"min_value": low - room, "max_value": high + room}
        rules.append(
            _rule("be_between", "reward", bounds, f"{span(reward)}, with as much room on both sides")
        )
    return rules


def _rule(verb: str, column: str, kwargs: dict[str, Any], evidence: str) -> dict[str, Any]:
    return {
        "type": f"expect_column_values_to_{verb}",
        "kwargs": {"column": column, **kwargs},
        "severity": "warning",
        "meta": {"evidence": evidence},
    }


def _field_of(form: Any) -> str:
    """Return the field that a form reads as it is; an empty text for other forms."""
    if isinstance(form, str):
        return form
    if isinstance(form, dict) and "values" not in form and isinstance(form.get("field"), str):
        return str(form["field"])
    return ""
