"""Coverage: which actions were tried, how evenly, and in how many of the situations that there were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from validation.audits.finding import Finding
from validation.audits.leaves import WIDEST, Numbers, categorical_leaves, numeric_leaves, table_of

BINS = 10  # of a continuous action's range
_MOST_ACTIONS = 10_000  # of one leaf; more are not listed
_RARE = 0.001  # share of the rows
_ONE_ACTION = 1.05  # an effective number below this means that one action is nearly always taken
_DIRECTIONS = 4  # that observations of more numbers are projected on, at random
_CELLS = 4  # along each direction, of equally many rows
_FEWEST = 20  # rows of a cell


@dataclass(frozen=True, slots=True)
class ActionCoverage:
    """Hold how often each action was taken, or each part of a continuous action's range."""

    leaf: str
    counts: NDArray[np.int64]
    values: tuple[int, ...] | None  # the discrete actions counted; None where continuous
    edges: Numbers | None  # the ends of the bins counted; None where discrete

    @property
    def total(self) -> int:
        """The number of rows with an action inside its space."""
        return int(self.counts.sum())

    @property
    def effective(self) -> float:
        """The effective number of actions, or bins: exp of the entropy of their shares."""
        return _effective(self.counts)

    @property
    def never(self) -> tuple[int, ...]:
        """The discrete actions that nobody took."""
        return tuple(value for value, count in zip(self.values or (), self.counts, strict=False) if not count)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "leaf": self.leaf,
            "counts": self.counts.tolist(),
            "values": None if self.values is None else list(self.values),
            "edges": None if self.edges is None else self.edges.tolist(),
            "effective": self.effective,
        }


def action_coverage(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> dict[str, ActionCoverage]:
    """Count actions by leaf. Bins of a continuous one go from bound to bound, or over what was seen."""
    table = table_of(steps)
    found: dict[str, ActionCoverage] = {}
    spaces = dict(_parts("action", spec.action))
    for leaf, series in categorical_leaves(table, spec, ["action"]).items():
        if leaf in spaces and spaces[leaf][1] - spaces[leaf][0] < _MOST_ACTIONS:
            first, last = (int(end) for end in spaces[leaf])
            held = series.drop_nulls().to_numpy()
            held = held[(held >= first) & (held <= last)] - first
            counts = np.bincount(held, minlength=last - first + 1)
            found[leaf] = ActionCoverage(leaf, counts, tuple(range(first, last + 1)), None)
    named = categorical_leaves(table.slice(0, 0), spec, ["action"])
    for leaf, values in numeric_leaves(table, spec, ["action"]).items():
        finite = values[np.isfinite(values)]
        if leaf in named or not len(finite):
            continue
        low, high = spaces.get(leaf, (-np.inf, np.inf))
        low, high = max(low, finite.min()), min(high, finite.max())
        if leaf in spaces and np.isfinite(spaces[leaf]).all():
            low, high = spaces[leaf]
        counts, edges = np.histogram(finite, BINS, (low, high) if low < high else (low - 0.5, low + 0.5))
        found[leaf] = ActionCoverage(leaf, counts, None, edges)
    return found


def actions_per_situation(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> float | None:
    """Return how many actions were effectively tried in a like situation, on average over the rows.

    Situations are cells of the observations, by quartiles along at most four directions; cells of fewer than
    20 rows are left out. 1 means that the action follows from the observation: nothing can be learnt of
    others. None where the action is no single discrete one, or no cell has rows enough.
    """
    table = table_of(steps)
    if not isinstance(spec.action, Discrete) or "observation" not in table.column_names:
        return None
    leaves = numeric_leaves(table, spec, ["observation"])
    actions = numeric_leaves(table, spec, ["action"])["action"]
    if not leaves:
        return None
    seen = np.stack(list(leaves.values()), axis=1)
    whole = np.isfinite(seen).all(axis=1) & np.isfinite(actions)
    if not whole.any():
        return None
    seen, actions = seen[whole], actions[whole]
    if seen.shape[1] > _DIRECTIONS:
        spread = seen.std(0)
        seen = (seen - seen.mean(0)) / np.where(spread > 0, spread, 1)
        seen = seen @ np.random.default_rng(0).standard_normal((seen.shape[1], _DIRECTIONS))
    cells = np.zeros(len(seen), np.int64)
    for values in seen.T:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _CELLS + 1)[1:-1]))
        cells = cells * _CELLS + np.searchsorted(edges, values)
    frame = pl.DataFrame({"cell": cells, "action": actions}).group_by("cell", "action").len()
    tried = [held["len"].to_numpy() for _, held in frame.group_by("cell") if held["len"].sum() >= _FEWEST]
    if not tried:
        return None
    rows = np.array([counts.sum() for counts in tried])
    return float(np.average([_effective(counts) for counts in tried], weights=rows))


def check_coverage(
    steps: pa.Table | pl.DataFrame, spec: ArchiveSpec, *, reference: pa.Table | pl.DataFrame | None = None
) -> list[Finding]:
    """Find actions that nobody tried, or hardly ever.

    Checks are `never_taken`, `rarely_taken`, `one_action` and `empty_bins`. All are information about what
    can be learnt, but for an action that the reference took and nobody takes now, and one that is always
    taken where the reference varied: warnings.
    """
    usual = {} if reference is None else action_coverage(reference, spec)
    findings: list[Finding] = []
    for leaf, covered in action_coverage(steps, spec).items():
        findings += _untried(covered, usual)
        if covered.total and covered.effective < _ONE_ACTION and len(covered.counts) > 1:
            before = usual[leaf].effective if leaf in usual else None
            findings.append(
                Finding(
                    "coverage",
                    "one_action",
                    leaf,
                    "warning" if before is not None and before >= _ONE_ACTION else "info",
                    f"One {leaf} is taken nearly always: the effective number is {covered.effective:.3f}.",
                    count=int(covered.counts.max()),
                    total=covered.total,
                    value=covered.effective,
                    threshold=_ONE_ACTION,
                )
            )
    return findings


def _untried(covered: ActionCoverage, usual: Mapping[str, ActionCoverage]) -> Iterator[Finding]:
    leaf, total = covered.leaf, covered.total
    if not total:
        return
    if covered.values is None:
        empty = int((covered.counts == 0).sum())
        if empty:
            yield Finding(
                "coverage",
                "empty_bins",
                leaf,
                "info",
                f"{empty} of {len(covered.counts)} equal parts of the range of {leaf} were never tried.",
                count=empty,
                total=len(covered.counts),
                subject="values",
                value=covered.effective,
            )
        return
    before = usual.get(leaf)
    gone = [value for value in covered.never if before is not None and value not in before.never]
    if covered.never:
        yield Finding(
            "coverage",
            "never_taken",
            leaf,
            "warning" if gone else "info",
            f"Nobody took {leaf} {_listed(gone or covered.never)}"
            f"{', which the reference has' if gone else ''}.",
            count=len(covered.never),
            total=len(covered.counts),
            subject="values",
            value=covered.effective,
        )
    rare = [
        value
        for value, count in zip(covered.values, covered.counts, strict=True)
        if 0 < count < _RARE * total
    ]
    if rare:
        yield Finding(
            "coverage",
            "rarely_taken",
            leaf,
            "info",
            f"{leaf} {_listed(rare)} was taken in less than 0.1% of {total} rows.",
            count=len(rare),
            total=len(covered.counts),
            subject="values",
            value=covered.effective,
            threshold=_RARE,
        )


def _parts(name: str, space: Space) -> Iterator[tuple[str, tuple[float, float]]]:
    """Give the least and the greatest value of each leaf of an action."""
    if isinstance(space, Dict | Tuple):
        for field, inner in space.fields.items():
            yield from _parts(f"{name}.{field}", inner)
    elif isinstance(space, Discrete):
        yield name, (space.start, space.start + space.n - 1)
    elif isinstance(space, MultiDiscrete):
        starts = space.start or (0,) * len(space.nvec)
        for index, (count, start) in enumerate(zip(space.nvec, starts, strict=True)):
            yield f"{name}[{index}]", (start, start + count - 1)
    elif isinstance(space, MultiBinary):
        yield from ((f"{name}[{index}]", (0, 1)) for index in range(int(np.prod(space.shape))))
    elif isinstance(space, Box) and space.size <= WIDEST:
        for index in range(space.size):
            low, high = (
                bound[index] if isinstance(bound, tuple) else bound for bound in (space.low, space.high)
            )
            yield f"{name}[{index}]", (low, high)


def _effective(counts: NDArray[Any]) -> float:
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def _listed(values: Any) -> str:
    few = ", ".join(map(str, values[:10]))
    return few + (f" and {len(values) - 10} others" if len(values) > 10 else "")
