"""Rules on what is known of a step: how probable its action was, its reward, and its end."""

from __future__ import annotations

import math
from typing import Annotated, Any

import polars as pl
import pyarrow as pa
from pydantic import Field

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns
from validation.rules.rule import Kind, Rule, RuleArguments
from validation.rules.values import present
from validation.wording import each, show

_ROUNDING = 1e-9  # how far a log may pass its bound
_LOG = "action_log_prob"


class ProbabilityArguments(RuleArguments):
    """Hold the kwargs of propensity_to_be_between: probabilities, or densities where the spec says so."""

    min_probability: Annotated[float, Field(ge=0)] | None = None
    max_probability: Annotated[float, Field(ge=0)] | None = None


class RewardArguments(RuleArguments):
    """Hold the kwargs of reward_to_be_between; without a bound the spec's reward range holds."""

    min_value: float | None = None
    max_value: float | None = None
    strict_min: bool = False
    strict_max: bool = False


def _propensity_between(arguments: ProbabilityArguments, columns: Columns) -> Rule:
    columns.type_of(_LOG)
    low, high = arguments.min_probability, arguments.max_probability
    if low is None and high is None:
        raise SuiteError("min_probability and max_probability are both missing.", hint="Give one of them.")
    if low is not None and high is not None and low > high:
        raise SuiteError(f"min_probability {low} is above max_probability {high}.", hint="Swap them.")
    density = columns.spec is not None and columns.spec.propensity == "density"
    if not density and max(low or 0.0, high or 0.0) > 1:
        raise SuiteError(
            "A probability is 1 at most.", hint="Densities are for specs of propensity: density."
        )
    values = columns.values(_LOG)
    judged = []
    if low is not None:
        judged.append(values >= _log(low) - _ROUNDING)
    if high is not None:
        judged.append(values <= _log(high) + _ROUNDING)
    word = "density" if density else "probability"
    wanted = _wanted(low, high)

    def says(rows: pa.Table) -> list[str]:
        return [
            f"{_LOG} is {show(value)}, a {word} of {_exp(value):.3g}, not {wanted}"
            for value in rows[_LOG].to_pylist()
        ]

    return Rule(f"propensity_between({_LOG})", _LOG, pl.all_horizontal(judged), (_LOG,), says)


def _propensity_known(_: RuleArguments, columns: Columns) -> Rule:
    mask = present(_LOG, columns)

    def says(rows: pa.Table) -> list[str]:
        return [f"{_LOG} is null: how probable the action was is not known"] * len(rows)

    return Rule(f"known({_LOG})", _LOG, mask.expression, (_LOG,), says, (mask,), counts_missing=False)


def _reward_between(arguments: RewardArguments, columns: Columns) -> Rule:
    low, high = arguments.min_value, arguments.max_value
    if low is None and high is None:
        low, high = _reward_range(columns)
    if low is not None and high is not None and low > high:
        raise SuiteError(f"min_value {low} is above max_value {high}.", hint="Swap them.")
    values, judged = columns.values("reward"), []
    if low is not None:
        judged.append(values > low if arguments.strict_min else values >= low)
    if high is not None:
        judged.append(values < high if arguments.strict_max else values <= high)
    wanted = _wanted(low, high, arguments.strict_min, arguments.strict_max)

    def says(rows: pa.Table) -> list[str]:
        return [f"reward is {value}, not {wanted}" for value in each(rows["reward"])]

    return Rule("between(reward)", "reward", pl.all_horizontal(judged), ("reward",), says)


def _ends_have_reward(_: RuleArguments, columns: Columns) -> Rule:
    mask = present("reward", columns)
    for column in ("terminated", "truncated"):
        columns.type_of(column)
    ends = pl.col("terminated") | pl.col("truncated")

    def says(rows: pa.Table) -> list[str]:
        return ["the episode ends here and reward is null"] * len(rows)

    return Rule("end(reward)", "reward", ~ends | mask.expression, ("reward",), says, (mask,))


def _reward_range(columns: Columns) -> tuple[float | None, float | None]:
    low, high = columns.required_spec().reward_range or (-math.inf, math.inf)
    bounds = tuple(bound if math.isfinite(bound) else None for bound in (low, high))
    if bounds == (None, None):
        raise ColumnError("The spec has no reward range.", hint="Give min_value or max_value.")
    return bounds[0], bounds[1]


def _wanted(low: Any, high: Any, above: bool = False, below: bool = False) -> str:
    sides = [
        f"{'above' if above else 'at least'} {low}" if low is not None else "",
        f"{'below' if below else 'at most'} {high}" if high is not None else "",
    ]
    return " and ".join(filter(None, sides))


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


OUTCOME_KINDS = (
    Kind("expect_propensity_to_be_between", ProbabilityArguments, _propensity_between),
    Kind("expect_propensity_to_be_known", RuleArguments, _propensity_known),
    Kind("expect_reward_to_be_between", RewardArguments, _reward_between),
    Kind("expect_ends_to_have_reward", RuleArguments, _ends_have_reward),
)
