"""Rules that only experience knows: spaces, masks of actions, propensities, keys and ends of episodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.membership import bounds_mask, finite_mask, shape_mask
from schemas.spaces import Discrete, MultiDiscrete, Scalar, Space
from validation.columns import ColumnError, Columns
from validation.rules.elements import ELEMENT_KINDS
from validation.rules.episode_order import ORDER_KINDS
from validation.rules.jumps import JUMP_KINDS
from validation.rules.outcomes import OUTCOME_KINDS
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule, RuleArguments, Stage
from validation.rules.values import present
from validation.wording import each, not_finite, out_of_space, show, wrong_shape

_CERTAIN = 1e-9  # how far rounding may lift the log of a probability above 0
_FOLDER_LENGTH = 255  # bytes of `column=value`, on every usual file system
_Member = Callable[[Space, pa.ChunkedArray], NDArray[np.bool_]]


def _shape(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    space = _space(column, columns)
    mask = _mask("shape", column, space, shape_mask)

    def says(rows: pa.Table) -> list[str]:
        return wrong_shape(space, column, rows[column])

    return Rule(mask.name, column, mask.expression, (column,), says, (mask,), Stage.SHAPE)


def _finite(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    space, type_ = columns.space_of(column), columns.type_of(column)
    if space is None and not pa.types.is_floating(type_):
        raise ColumnError(
            f"{column} is a column of {type_}, which is always finite.", hint="Leave the rule out."
        )
    mask = _mask("finite", column, space or Scalar(dtype="float64"), finite_mask)

    def says(rows: pa.Table) -> list[str]:
        return not_finite(space, column, rows[column])

    return Rule(mask.name, column, mask.expression, (column,), says, (mask,), Stage.SOUND)


def _in_space(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    space = _space(column, columns)
    mask = _mask("in_space", column, space, bounds_mask)

    def says(rows: pa.Table) -> list[str]:
        return out_of_space(space, column, rows[column])

    return Rule(mask.name, column, mask.expression, (column,), says, (mask,))


def _action_in_space(arguments: RuleArguments, columns: Columns) -> Rule:
    return _in_space(ColumnArguments(column="action", mostly=arguments.mostly), columns)


def _action_in_mask(_: RuleArguments, columns: Columns) -> Rule:
    space = columns.required_spec().action
    if not isinstance(space, Discrete | MultiDiscrete):
        raise ColumnError(
            f"The action space {space.type} has no mask.",
            hint="Only discrete and multi_discrete actions have one.",
        )
    flags = pl.col("action_mask")
    inside = _mask("in_space", "action", space, bounds_mask)
    masks = [inside, _mask("shape", "action_mask", _space("action_mask", columns), shape_mask)]
    if isinstance(space, Discrete):
        allowed = flags.list.get(pl.col("action") - space.start, null_on_oob=True)
    else:
        masks.append(_mask("shape", "action", space, shape_mask))
        allowed = pl.all_horizontal(_parts_allowed(space))
    # Where action or mask are wrong in themselves their own rules say so, and there is nothing to look up.
    sound = pl.all_horizontal(mask.expression for mask in masks)
    expression = pl.when(sound & flags.is_not_null()).then(allowed)

    def says(rows: pa.Table) -> list[str]:
        return [f"action {show(value)} is not allowed by its mask" for value in rows["action"].to_pylist()]

    return Rule("in_mask(action)", "action", expression, ("action",), says, tuple(masks))


def _parts_allowed(space: MultiDiscrete) -> list[pl.Expr]:
    starts = space.start or (0,) * len(space.nvec)
    firsts = itertools.accumulate(space.nvec, initial=0)
    return [
        pl.col("action_mask").list.get(
            pl.col("action").list.get(index, null_on_oob=True) - start + first, null_on_oob=True
        )
        for index, (start, first) in enumerate(zip(starts, firsts, strict=False))
    ]


def _propensity(_: RuleArguments, columns: Columns) -> Rule:
    """Ask for a finite log; of a probability also that it is not above 0: a density may be."""
    column = "action_log_prob"
    values = pl.col(column)
    mass = columns.required_spec().propensity == "mass"
    expression = values.is_finite() & (values <= _CERTAIN) if mass else values.is_finite()
    wanted = "the log of a probability (finite, 0 at most)" if mass else "a finite log of a density"

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is {value}, not {wanted}" for value in each(rows[column])]

    return Rule(f"propensity({column})", column, expression, (column,), says, stage=Stage.SOUND)


def _key(_: RuleArguments, columns: Columns) -> Rule:
    masks = tuple(present(column, columns) for column in ("event_id", "episode_id", "step"))
    event, episode, step = (mask.expression for mask in masks)

    def says(rows: pa.Table) -> list[str]:
        return ["there is neither an event_id nor an episode_id and a step"] * len(rows)

    return Rule("key", None, event | (episode & step), ("event_id",), says, masks)


def _ends(_: RuleArguments, __: Columns) -> Rule:
    def says(rows: pa.Table) -> list[str]:
        return ["terminated and truncated are both true"] * len(rows)

    both = pl.col("terminated") & pl.col("truncated")
    return Rule("ends", None, ~both, ("terminated",), says)


def _truncated(_: RuleArguments, columns: Columns) -> Rule:
    mask = present("next_observation", columns)

    def says(rows: pa.Table) -> list[str]:
        return ["truncated is true and next_observation is null: what came next is lost"] * len(rows)

    expression = ~pl.col("truncated") | mask.expression
    return Rule("truncated(next_observation)", "next_observation", expression, ("truncated",), says, (mask,))


def _folder(arguments: ColumnArguments, _: Columns) -> Rule:
    """Ask for a text that can name a partition's folder, where each of its bytes may be escaped."""
    column = arguments.column
    longest = (_FOLDER_LENGTH - len(column.encode()) - 1) // 3
    length = pl.col(column).str.len_bytes()

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} {text} names no folder: 1 to {longest} bytes do" for text in each(rows[column])]

    return Rule(f"folder({column})", column, length.is_between(1, longest), (column,), says)


def _mask(question: str, column: str, space: Space, member: _Member) -> Mask:
    def judge(rows: pa.Table) -> NDArray[Any]:
        return member(space, rows[column])

    return Mask(f"{question}({column})", judge)


def _space(column: str, columns: Columns) -> Space:
    space = columns.space_of(column)
    if space is not None:
        return space
    spec = columns.required_spec()
    if column == "action_mask" and spec.action.mask_size is None:
        raise ColumnError(f"The action space {spec.action.type} has no mask.", hint="Leave the rule out.")
    known = ", ".join(("observation", "action", "next_observation", *spec.extras))
    raise ColumnError(f"{column} is a plain column without a space.", hint=f"Those with one are: {known}.")


EXPERIENCE_KINDS = (
    Kind("expect_column_values_to_have_shape", ColumnArguments, _shape),
    Kind("expect_column_values_to_be_finite", ColumnArguments, _finite),
    Kind("expect_column_values_to_be_in_space", ColumnArguments, _in_space),
    Kind("expect_action_to_be_in_space", RuleArguments, _action_in_space),
    Kind("expect_action_to_be_in_mask", RuleArguments, _action_in_mask),
    Kind("expect_propensity_to_be_possible", RuleArguments, _propensity),
    Kind("expect_step_to_have_key", RuleArguments, _key),
    Kind("expect_ends_to_be_exclusive", RuleArguments, _ends),
    Kind("expect_column_values_to_name_a_folder", ColumnArguments, _folder),
    Kind("expect_truncated_to_have_next_observation", RuleArguments, _truncated),
    *OUTCOME_KINDS,
    *ELEMENT_KINDS,
    *JUMP_KINDS,
    *ORDER_KINDS,
)
