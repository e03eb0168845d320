"""The rules that every archive has: read off its spec, in the shape of a suite, so that they can be shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from schemas.archive_spec import ArchiveSpec
from schemas.membership import has_bounds, has_floats, has_shape
from schemas.spaces import Space
from schemas.step import WIRE_COLUMNS
from validation.expectation import Expectation
from validation.suite import Suite

# Part of a gate's hash: raise it whenever a rule here, or the meaning of one, changes.
BUILTIN_VERSION = 2

_PLAIN_FLOATS = ("reward", "discount", "priority")


def builtin_suite(spec: ArchiveSpec) -> Suite:
    """Return the rules that a row of the archive has to follow under any suite, all of them critical.

    A reward may be null: it never came. Floats in extra columns need not be finite, since only the archive's
    owner knows what NaN says there.
    """
    return Suite(f"builtin rules of {spec.name}", tuple(_rules(spec)))


def _rules(spec: ArchiveSpec) -> Iterator[Expectation]:
    spaces: dict[str, Space] = {
        "observation": spec.observation,
        "next_observation": spec.observation,
        "action": spec.action,
    }
    with_extras = spaces | spec.extras
    masked = spec.action.mask_size is not None
    for column, space in with_extras.items():
        if has_shape(space):
            yield _column("have_shape", column)
    if masked:
        yield _column("have_shape", "action_mask")
    for column in (*(name for name, space in spaces.items() if has_floats(space)), *_PLAIN_FLOATS):
        yield _column("be_finite", column)
    yield _rule("expect_propensity_to_be_possible")
    for column in (*(column.name for column in WIRE_COLUMNS if column.required), *_required(spec)):
        yield _column("not_be_null", column)
    yield _rule("expect_step_to_have_key")
    for column, space in with_extras.items():
        if has_bounds(space) and column != "action":
            yield _column("be_in_space", column)
    if has_bounds(spec.action):
        yield _rule("expect_action_to_be_in_space")
    if masked:
        yield _rule("expect_action_to_be_in_mask")
    yield from _ranges(spec)
    for column in spec.partition_by:
        yield _column("name_a_folder", column)
    yield _rule("expect_truncated_to_have_next_observation")
    if spec.exclusive_ends:
        yield _rule("expect_ends_to_be_exclusive")


def _required(spec: ArchiveSpec) -> tuple[str, ...]:
    return ("action_log_prob",) if spec.require_propensity else ()


def _ranges(spec: ArchiveSpec) -> Iterator[Expectation]:
    yield _column("be_between", "step", min_value=0)
    if spec.reward_range is not None:
        ends = zip(("min_value", "max_value"), spec.reward_range, strict=True)
        bounds = {name: value for name, value in ends if math.isfinite(value)}
        if bounds:
            yield _column("be_between", "reward", **bounds)
    yield _column("be_between", "discount", min_value=0, max_value=1)
    yield _column("be_between", "priority", min_value=0)


def _column(verb: str, column: str, **kwargs: Any) -> Expectation:
    return _rule(f"expect_column_values_to_{verb}", column=column, **kwargs)


def _rule(type_: str, **kwargs: Any) -> Expectation:
    return Expectation(type=type_, kwargs=kwargs)
