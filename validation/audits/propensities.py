"""Propensities: whether the logged probabilities can be those of the actions that were taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Discrete
from validation.audits.action_shifts import find_shifted_actions
from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.audits.leaves import Numbers, numeric_leaves, space_arrays, table_of
from validation.expectation import Severity

Policy = Callable[..., Any]

TOLERANCE = 1e-3  # of a log, absolute and relative: what float32 networks on another machine differ by
SMALL = 1e-3  # a probability below this weighs a row like a thousand others
_FEWEST = 100  # rows with a propensity
_CERTAIN = 1e-9  # how far rounding may lift the log of a probability above 0
_STANDARD_ERRORS = 5.0
_HEAVIEST = 0.02  # of all weight: where one row has more, the mean says nothing yet
_EFFECTIVE = 0.1  # share of the rows
_COLUMN = "action_log_prob"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Hold how well the logged policy covers others: figures over the rows that have a propensity."""

    rows: int
    least: float  # the smallest and greatest probability, or density
    greatest: float
    small: float  # share of rows with a probability below 0.001
    effective: float  # effective sample size for a uniform policy, (Σw)² / Σw² with w = 1/p, by rows

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def propensity_overlap(steps: pa.Table | pl.DataFrame) -> Overlap | None:
    """Measure the logged propensities; None where none is logged."""
    logs = _logged(table_of(steps))
    logs = logs[np.isfinite(logs)]
    if not len(logs):
        return None
    weights = np.exp(logs.min() - logs)  # scaled, so that none overflows
    share = float(weights.sum() ** 2 / (weights**2).sum()) / len(logs)
    chances = np.exp(logs)
    return Overlap(
        len(logs), float(chances.min()), float(chances.max()), float((chances < SMALL).mean()), share
    )


def check_propensities(
    steps: pa.Table | pl.DataFrame,
    spec: ArchiveSpec,
    policy: Policy | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> list[Finding]:
    """Check the logged propensities, against the policy that acted where it is known.

    `policy` takes observations, (N, *shape), and returns (N, n) probabilities of discrete actions; for others
    it takes observations and actions, and returns N log densities. Without it, they are checked against the
    actions' own frequencies. Checks are `missing`, `impossible`, `policy`, `calibration` and `overlap`. Raise
    UsageError where the policy returns something else.
    """
    table = table_of(steps)
    logs = _logged(table)
    given = np.isfinite(logs)
    mass = spec.propensity == "mass" and isinstance(spec.action, Discrete)
    findings = list(_missing(table, logs, policy is not None))
    if spec.propensity == "mass":
        wrong = np.flatnonzero(logs > _CERTAIN)
        if len(wrong):
            findings.append(_finding(table, logs, "impossible", "critical", wrong, "are above 0"))
    if policy is not None:
        findings += _against_policy(table, spec, logs, policy, tolerance)
    if given.sum() >= _FEWEST and mass and policy is None:
        findings += _calibration(table, spec, logs)
    if given.sum() >= _FEWEST:
        findings += _overlap(table)
    return findings


def _missing(steps: pa.Table, logs: Numbers, known: bool) -> Iterator[Finding]:
    without = np.flatnonzero(np.isnan(logs))
    if len(without) and (known or len(without) < len(logs)):
        yield _finding(steps, logs, "missing", "warning", without, "are missing")


def _against_policy(
    steps: pa.Table, spec: ArchiveSpec, logs: Numbers, policy: Policy, tolerance: float
) -> Iterator[Finding]:
    expected = _expected(steps, spec, policy)
    off, right = _compared(logs, expected, tolerance)
    # An action that the policy never takes has -inf: whatever was logged for it is wrong.
    wrong = ~right & ~np.isnan(logs) & ~np.isnan(expected)
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return
    yield from find_shifted_actions(
        steps, wrong, lambda shifted: _compared(logs, _expected(shifted, spec, policy), tolerance)[1]
    )
    worst = rows[np.argsort(-np.nan_to_num(off[rows], posinf=np.finfo(np.float64).max), kind="stable")]
    top = float(off[worst[0]])
    yield Finding(
        "propensities",
        "policy",
        _COLUMN,
        "critical",
        f"{len(rows)} of {len(logs)} propensities are not the policy's: {_COLUMN} {logs[worst[0]]:.4g} where "
        f"it says {expected[worst[0]]:.4g}.",
        count=len(rows),
        total=len(logs),
        value=top if np.isfinite(top) else None,
        threshold=tolerance,
        examples=row_examples(steps, worst, {"logged": logs, "expected": expected}),
    )


def _compared(logs: Numbers, expected: Numbers, tolerance: float) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return how far apart they are, and where they are as good as equal."""
    with np.errstate(invalid="ignore"):
        off = np.abs(logs - expected)
        return off, (off <= tolerance * (1 + np.abs(expected))) & np.isfinite(expected)


def _expected(steps: pa.Table, spec: ArchiveSpec, policy: Policy) -> Numbers:
    observations = space_arrays(steps["observation"], spec.observation)
    actions = space_arrays(steps["action"], spec.action)
    rows = steps.num_rows
    if isinstance(spec.action, Discrete):
        chances = np.asarray(policy(observations), np.float64)
        _check_shape(chances, (rows, spec.action.n))
        places = actions - spec.action.start
        inside = (places >= 0) & (places < spec.action.n)  # not where NaN
        picked = chances[np.arange(rows), np.where(inside, places, 0).astype(np.intp)]
        with np.errstate(divide="ignore"):
            return np.where(inside, np.log(picked), np.nan)
    logs = np.asarray(policy(observations, actions), np.float64)
    _check_shape(logs, (rows,))
    return logs


def _check_shape(got: NDArray[np.float64], wanted: tuple[int, ...]) -> None:
    if got.shape != wanted:
        raise UsageError(
            f"The policy returned an array of shape {got.shape}, not {wanted}.",
            hint="Discrete: (N, n) probabilities of the actions; else N log densities of the actions.",
        )


def _calibration(steps: pa.Table, spec: ArchiveSpec, logs: Numbers) -> Iterator[Finding]:
    """Compare with the actions' frequencies: 1/p of the rows that took an action is 1 a row, on average.

    What an action's chance was is known when it is drawn, so the rows' errors are uncorrelated, whatever the
    episodes are. With a mask an action counts in the rows that allow it.
    """
    assert isinstance(spec.action, Discrete)  # noqa: S101 (the caller asks)
    actions = numeric_leaves(steps, spec, ["action"])["action"] - spec.action.start
    given = np.isfinite(logs) & np.isfinite(actions)
    allowed = _allowed(steps, spec.action.n)
    worst: tuple[float, int, float, int] | None = None
    for action in range(spec.action.n):
        rows = given if allowed is None else given & allowed[:, action]
        took = (actions == action)[rows]
        if rows.sum() < _FEWEST:
            continue
        weights = np.where(took, np.exp(np.minimum(-logs[rows], 700.0)), 0.0)
        mean = float(weights.mean())
        # Of rare actions the sample lacks the heavy rows: what it has tells the error only without them.
        error = max(float(weights.std()), 1.0 / np.sqrt(rows.sum())) / np.sqrt(rows.sum())
        if weights.max() > _HEAVIEST * max(weights.sum(), 1.0) or took.sum() < _FEWEST:
            continue
        size = abs(mean - 1) / error
        if size > _STANDARD_ERRORS and (worst is None or size > worst[0]):
            worst = (size, action, mean, int(took.sum()))
    if worst is None:
        return
    size, action, mean, count = worst
    yield Finding(
        "propensities",
        "calibration",
        _COLUMN,
        "warning",
        f"Action {action + spec.action.start} was taken {mean:.3g} times as often as its propensities say, "
        f"{size:.1f} standard errors off.",
        count=count,
        total=int(given.sum()),
        value=mean,
        threshold=_STANDARD_ERRORS,
    )


def _allowed(steps: pa.Table, actions: int) -> NDArray[np.bool_] | None:
    if "action_mask" not in steps.column_names or steps["action_mask"].null_count == steps.num_rows:
        return None
    leaves = numeric_leaves(steps, None, ["action_mask"])
    if len(leaves) != actions:
        return None
    # A row without a mask allows all.
    return np.stack([~(held == 0) for held in leaves.values()], axis=1)


def _overlap(steps: pa.Table) -> Iterator[Finding]:
    found = propensity_overlap(steps)
    if found is None or (found.effective >= _EFFECTIVE and not found.small):
        return
    yield Finding(
        "propensities",
        "overlap",
        _COLUMN,
        "info",
        f"Reweighted to a uniform policy, {found.rows} rows count like {found.effective * found.rows:.0f}; "
        f"{100 * found.small:.3g}% have a propensity below {SMALL:g}.",
        count=round(found.small * found.rows),
        total=found.rows,
        value=found.effective,
        threshold=_EFFECTIVE,
    )


def _finding(
    steps: pa.Table, logs: Numbers, check: str, severity: Severity, rows: NDArray[np.intp], what: str
) -> Finding:
    return Finding(
        "propensities",
        check,
        _COLUMN,
        severity,
        f"{len(rows)} of {len(logs)} logs of propensities {what}.",
        count=len(rows),
        total=len(logs),
        examples=row_examples(steps, rows, {"logged": logs}),
    )


def _logged(steps: pa.Table) -> Numbers:
    leaves = numeric_leaves(steps, None, [_COLUMN])
    return leaves.get(_COLUMN, np.full(steps.num_rows, np.nan))
