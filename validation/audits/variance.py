"""Variance: numbers that never change, that stand still for too long, or that pile up at an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.audits.groups import row_groups
from validation.audits.leaves import Numbers, categorical_leaves, numeric_leaves, table_of

_FEWEST = 30  # rows with a value
_STILL = 5  # rows: a shorter stand is no frozen sensor,
_TIMES = 3  # nor is one below so many times the longest stand, or the share of repeats, of the reference
_REPEATS = 0.005  # share of rows that repeat the one before, above that of the reference,
_REPEATS_OF_NONE = 0.001  # or where the reference never repeats
_USUALLY_MOVES = (
    0.01  # without a reference: where more of the rows repeat in short stands, it stands by nature
)
_FEW_EPISODES = 3
_PILE = 0.002  # share of rows with exactly one number, beyond
_TIMES_THE_PILE = 5  # times that of the reference
_FEWEST_PILED = 10
_PILES = 3  # the largest, of each leaf
_CUT_OFF = 0.005  # share of the reference beyond the end that values are clipped at
_SAMPLE = 10_000  # rows of the reference that tell whether its values ever repeat


def check_variance(
    steps: pa.Table | pl.DataFrame,
    spec: ArchiveSpec | None = None,
    *,
    reference: pa.Table | pl.DataFrame | None = None,
    columns: Sequence[str] | None = None,
) -> list[Finding]:
    """Find numbers that never change, freeze within an episode, or are clipped.

    Checks are `zero_variance`, `frozen`, `clipped` and `pile`. With a clean reference, what it does too is
    no finding. Without one, `zero_variance` is information, and piles are not looked for: the number may be
    the environment's own, as a speed limit is.
    """
    now = table_of(steps)
    before = None if reference is None else table_of(reference)
    named = categorical_leaves(now.slice(0, 0), spec, columns)
    known = {} if before is None else numeric_leaves(before, spec, columns)
    ordered, old_ordered = _Ordered(now), None if before is None else _Ordered(before)
    findings: list[Finding] = []
    for leaf, values in numeric_leaves(now, spec, columns).items():
        old = known.get(leaf)
        findings += _zero_variance(leaf, values, old)
        if leaf in named or np.isfinite(values).sum() < _FEWEST:
            continue
        findings += _frozen(leaf, values, old, ordered, old_ordered)
        if old is not None:
            findings += _piles(leaf, values, old, now)
    return findings


def _zero_variance(leaf: str, values: Numbers, old: Numbers | None) -> Iterator[Finding]:
    held = values[~np.isnan(values)]
    if len(held) < _FEWEST or (held != held[0]).any():
        return
    if old is not None:
        was = old[~np.isnan(old)]
        if len(was) and (was == was[0]).all():
            return  # it never changed there either; whether it is another number now is drift's to say
    yield Finding(
        "variance",
        "zero_variance",
        leaf,
        "info" if old is None else "warning",
        f"{leaf} is {held[0]:.6g} in all {len(held)} rows that have one.",
        count=len(held),
        total=len(values),
        subject="values",
        value=0.0,
        threshold=0.0,
    )


def _frozen(
    leaf: str, values: Numbers, old: Numbers | None, now: _Ordered, before: _Ordered | None
) -> Iterator[Finding]:
    lengths = now.run_lengths(values)
    repeats = len(values) - len(lengths)
    limit, longest, usual = _STILL, 0, 0.0
    if old is not None and before is not None:
        stood = before.run_lengths(old)
        longest, usual = int(stood.max(initial=0)), 1 - len(stood) / max(1, len(old))
        limit = max(_STILL, _TIMES * longest)
    else:
        long = lengths[lengths >= _STILL]
        if repeats - (long - 1).sum() > _USUALLY_MOVES * len(values) or long.sum() > len(values) / 2:
            return  # it stands by nature, as a goal does
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    still = lengths >= limit
    most = _TIMES * usual + _REPEATS if usual else _REPEATS_OF_NONE
    if not still.any() and old is not None and repeats > len(values) * most:
        still = lengths > 1
        if len(np.unique(now.episodes[starts[still]])) < _FEW_EPISODES:
            return
    if not still.any():
        return
    worst = np.flatnonzero(still)[np.argsort(-lengths[still], kind="stable")]
    run = np.zeros(len(values))
    run[now.order[starts]] = lengths
    count = int(lengths[still].sum())
    than = "it usually moves" if old is None else f"the reference at most for {longest}"
    yield Finding(
        "variance",
        "frozen",
        leaf,
        "warning",
        f"{leaf} stands still in {count} of {len(values)} rows, for up to {lengths.max()} in a row; {than}.",
        count=count,
        total=len(values),
        value=float(lengths.max()),
        threshold=float(limit),
        examples=row_examples(now.steps, now.order[starts[worst]], {"value": values, "run": run}),
    )


def _piles(leaf: str, values: Numbers, old: Numbers, steps: pa.Table) -> Iterator[Finding]:
    """Find single numbers that many rows now have exactly, and the reference, which went further, had not."""
    held, was = values[np.isfinite(values)], old[np.isfinite(old)]
    if len(was) < _FEWEST:
        return
    numbers, counts = np.unique(held, return_counts=True)
    sample = was[:: -(-len(was) // _SAMPLE)]
    moves = len(np.unique(sample)) > len(sample) / 2
    for place in np.argsort(-counts, kind="stable")[:_PILES]:
        number, share = float(numbers[place]), counts[place] / len(held)
        usual = float((was == number).mean())
        threshold = _PILE + _TIMES_THE_PILE * usual
        beyond = min(float((was > number).mean()), float((was < number).mean()))
        at_end = place in (0, len(numbers) - 1)
        cut_off = float((was > number).mean() if place else (was < number).mean()) if at_end else 0.0
        if (
            counts[place] < _FEWEST_PILED
            or share < threshold
            or not (cut_off >= _CUT_OFF or (moves and beyond > 0))
        ):
            continue
        at = values == number
        how = f"the {'greatest' if place else 'least'} {leaf} there is" if cut_off else f"one {leaf}"
        went = f", and {100 * cut_off:.3g}% of it lie beyond" if cut_off else ""
        yield Finding(
            "variance",
            "clipped" if cut_off else "pile",
            leaf,
            "warning",
            f"{int(at.sum())} of {len(values)} rows have exactly {how}, {number:.6g}, and of the reference "
            f"{100 * usual:.3g}%{went}.",
            count=int(at.sum()),
            total=len(values),
            value=float(share),
            threshold=threshold,
            examples=row_examples(steps, np.flatnonzero(at), {"value": values}),
        )


class _Ordered:
    """Hold the rows of a table by episode and step, and where, so ordered, an episode begins."""

    def __init__(self, steps: pa.Table) -> None:
        self.steps = steps
        self.order = np.arange(steps.num_rows)
        self.episodes = np.zeros(steps.num_rows, np.int64)
        if "episode_id" in steps.column_names:
            episodes, turns = row_groups(steps), self.order
            if "step" in steps.column_names:
                turns = np.asarray(steps["step"].fill_null(-1))
            self.order = np.lexsort((turns, episodes))
            self.episodes = episodes[self.order]
        self._begins = np.diff(self.episodes, prepend=np.iinfo(np.int64).min) != 0

    def run_lengths(self, values: Numbers) -> NDArray[np.intp]:
        """Return the lengths of runs of one number, none across episodes; NaN is a run of one."""
        if not len(values):
            return np.zeros(0, np.intp)
        ordered, new = values[self.order], self._begins.copy()
        new[1:] |= ordered[1:] != ordered[:-1]
        return np.diff(np.append(np.flatnonzero(new), len(values)))
