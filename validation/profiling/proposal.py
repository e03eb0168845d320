"""Proposals: the suite that a spec and a profile speak for, with the evidence beside each rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.archive_spec import ArchiveSpec
from schemas.membership import has_bounds
from schemas.spaces import Scalar, Text
from validation.expectation import Expectation
from validation.profiling.figures import Categories, Figures
from validation.profiling.margins import FEWEST, OPEN, bounds_of
from validation.profiling.profile import Profile
from validation.profiling.tables import moment_rules, order_rules
from validation.profiling.vectors import vector_rules
from validation.profiling.wording import ENOUGH, expectation, figures_of, seen_in
from validation.suite import Suite

_FEW_VALUES = 10
_FEW_EPISODES = 20
_SEEN_OFTEN = 5  # times each; a value seen less speaks for others that were not
_NULLABLE = ("event_id", "episode_id", "step", "reward", "next_observation", "discount", "action_mask")
_TERMINATED = "terminated"


def propose_suite(spec: ArchiveSpec, profile: Profile, *, name: str | None = None) -> Suite:
    """Propose rules for an archive, of what its spec implies and of what a clean sample was like.

    What the spec makes impossible is critical; what was only never seen is a warning, with margins so that
    clean rows of the same source fail less than once in a thousand. `meta` of each rule has its evidence.
    """
    rules = [
        *_implied(spec, profile),
        *_nulls(spec, profile),
        *_rewards(profile),
        *vector_rules(spec, profile),
        *_propensities(spec, profile),
        *_scalars(spec, profile),
        *order_rules(spec, profile),
        *moment_rules(spec, profile),
    ]
    seen: dict[str, Any] = {"rows": profile.rows, "episodes": profile.episodes}
    if profile.episodes < _FEW_EPISODES:
        seen["note"] = f"So few episodes say little of how far others go: sample {_FEW_EPISODES} or more."
    return Suite(name or f"{spec.name}_proposed", tuple(rules), {"meta": {"proposed_from": seen}})


def _implied(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    says = "The archive's spec says so."

    def critical(type_: str, **kwargs: Any) -> Expectation:
        return expectation(type_, says, {}, "critical", **kwargs)

    if has_bounds(spec.action):
        yield critical("expect_action_to_be_in_space")
    if has_bounds(spec.observation):
        yield critical("expect_column_values_to_be_in_space", column="observation")
        yield critical("expect_column_values_to_be_in_space", column="next_observation")
    if spec.action.mask_size is not None and profile.nulls.get("action_mask", 0) < profile.rows:
        yield critical("expect_action_to_be_in_mask")
    if _has_propensities(profile):
        yield critical("expect_propensity_to_be_possible")
    if spec.require_propensity:
        yield critical("expect_propensity_to_be_known")
    if spec.reward_range is not None and any(map(math.isfinite, spec.reward_range)):
        yield critical("expect_reward_to_be_between")
    if spec.exclusive_ends:
        yield critical("expect_ends_to_be_exclusive")


def _nulls(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    if profile.rows < ENOUGH:
        return
    # Not event_time: a step that comes without one gets one when it lands.
    for column in (*_NULLABLE, "policy_version", *spec.extras):
        figures = profile.numbers.get(column)
        missing = profile.nulls.get(column, profile.rows) if figures is None else figures.missing
        if not missing:
            evidence = f"None of {profile.rows} rows was without {column}."
            yield expectation(
                "expect_column_values_to_not_be_null", evidence, {"rows": profile.rows}, column=column
            )


def _rewards(profile: Profile) -> Iterator[Expectation]:
    whole, ends, others = profile.numbers.get("reward"), profile.ends, profile.others
    if whole is None or not whole.finite:
        return
    if _is_set(whole):
        yield _set("reward", whole)
        return
    if ends is None or others is None or not _differ(whole, others) or ends.finite < FEWEST:
        yield from _between("reward", whole, profile.episodes)
        return
    # A bonus at the end would hide what is wrong before it.
    for figures, ended in ((others, False), (ends, True)):
        condition = {
            "type": "comparison",
            "column": {"name": _TERMINATED},
            "operator": "==",
            "parameter": ended,
        }
        yield from _between("reward", figures, profile.episodes, row_condition=condition)


def _propensities(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    logs = profile.numbers.get("action_log_prob")
    if logs is None or not _has_propensities(profile):
        return
    seen = seen_in(logs, profile.episodes)
    if not logs.missing and logs.rows >= ENOUGH and not spec.require_propensity:
        evidence = f"All {logs.rows} rows had a propensity."
        yield expectation("expect_propensity_to_be_known", evidence, {"rows": logs.rows})
    low, high = bounds_of(logs, profile.episodes)
    if low is None or high is None:
        return
    kwargs: dict[str, Any] = {"min_probability": _exp(low)}
    most = _exp(high)
    if spec.propensity == "density" or (most is not None and most < 1):
        kwargs["max_probability"] = most
    if all(value is not None for value in kwargs.values()):
        evidence = f"Their logs were {seen}, and {low:.6g} to {high:.6g} leaves a margin."
        yield expectation("expect_propensity_to_be_between", evidence, figures_of(logs), **kwargs)


def _scalars(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    discount = profile.numbers.get("discount")
    if discount is not None:
        yield from _between("discount", discount, profile.episodes, least=0.0, most=1.0)
    for column, space in spec.extras.items():
        figures, held = profile.numbers.get(column), profile.categories.get(column)
        if isinstance(space, Text | Scalar) and held is not None and _is_set(held):
            yield _set(column, held)
        elif isinstance(space, Scalar) and space.dtype in ("int64", "float64") and figures is not None:
            if _is_set(figures):
                yield _set(column, figures)
            else:
                yield from _between(column, figures, profile.episodes)


def _between(
    column: str,
    figures: Figures,
    episodes: int,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    row_condition: Mapping[str, Any] | None = None,
) -> Iterator[Expectation]:
    bounds = bounds_of(figures, episodes)
    if bounds == OPEN:
        return
    low, high = bounds
    kwargs: dict[str, Any] = {"column": column}
    if low is not None:
        kwargs["min_value"] = max(low, least)
    if high is not None:
        kwargs["max_value"] = min(high, most)
    if row_condition is not None:
        kwargs |= {"row_condition": dict(row_condition), "condition_parser": "great_expectations"}
    evidence = f"{column} was {seen_in(figures, episodes)}; the bounds leave a margin."
    yield expectation("expect_column_values_to_be_between", evidence, figures_of(figures), **kwargs)


def _set(column: str, held: Figures | Categories) -> Expectation:
    values = [value for value, _ in held.top]
    evidence = f"{column} was one of {len(values)} values in {held.rows - held.missing} rows."
    counts = {"values": [list(pair) for pair in held.top]}
    return expectation(
        "expect_column_values_to_be_in_set", evidence, counts, column=column, value_set=sorted(values)
    )


def _is_set(held: Figures | Categories) -> bool:
    """Say whether values are few, and each was seen often enough to believe that there are no others."""
    enough = held.rows - held.missing >= ENOUGH and held.is_listed and held.distinct <= _FEW_VALUES
    return enough and min(count for _, count in held.top) >= _SEEN_OFTEN


def _differ(whole: Figures, part: Figures) -> bool:
    spans = [
        0.0 if one.least is None or one.greatest is None else one.greatest - one.least
        for one in (whole, part)
    ]
    return part.finite >= FEWEST and spans[1] < spans[0] / 2


def _has_propensities(profile: Profile) -> bool:
    logs = profile.numbers.get("action_log_prob")
    return logs is not None and logs.finite > 0


def _exp(number: float) -> float | None:
    return math.exp(number) if number < 700 else None
