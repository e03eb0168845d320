"""What drift says: each way in which numbers and categories may differ from those of a reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.audits.leaves import Numbers
from validation.audits.psi import ks_with_chance, psi_with_chance
from validation.audits.reach import reach
from validation.expectation import Severity

Groups = NDArray[np.integer[Any]]  # which rows belong together, such as those of an episode

_FAR_BEYOND = 1.0  # of the reference's range: so far not even a single episode can have gone by chance
_FEW_EPISODES = 3  # that went beyond its reach; one or two may just have gone further than those before
_TIMES_CHANCE = 3  # what chance is expected to give the index
_COMMON = 0.01  # a category of this share is missed when it is gone


def tell_range(
    leaf: str, old: Numbers, new: Numbers, old_groups: Groups, new_groups: Groups, now: pa.Table, limit: float
) -> Iterator[Finding]:
    """Tell of values beyond the reach of finite old ones; `new` has a value for every row."""
    low, high = float(old.min()), float(old.max())
    first, last = (float(edge) for edge in np.quantile(old, (0.01, 0.99)))
    lowest, highest = reach(low, first, last, high, len(np.unique(old_groups)))
    distance = np.maximum(low - new, new - high)
    beyond = (new < lowest) | (new > highest)  # never of NaN
    if len(np.unique(new_groups[beyond])) < _FEW_EPISODES:
        beyond &= distance > _FAR_BEYOND * (high - low)
    if not beyond.any() or beyond.mean() < limit:
        return
    found = np.flatnonzero(beyond)
    worst = found[np.argsort(-distance[found], kind="stable")]
    yield Finding(
        "drift",
        "range",
        leaf,
        "warning",
        f"{len(found)} of {len(new)} rows have a {leaf} outside the reference's range of {low:.4g} to "
        f"{high:.4g}, such as {new[worst[0]]:.4g}.",
        count=len(found),
        total=len(new),
        value=float(beyond.mean()),
        threshold=limit,
        examples=row_examples(now, worst, {"value": new}),
    )


def tell_ks(
    leaf: str, old: Numbers, new: Numbers, groups: tuple[Groups, Groups], limit: float, likely: float
) -> Iterator[Finding]:
    """Tell of shares below a number that differ by more than a limit, and than chance explains."""
    found = ks_with_chance(old, new, *groups)
    if found.place is None or found.value < limit or found.chance > likely:
        return
    share_old, share_new = (float((side <= found.place).mean()) for side in (old, new))
    yield Finding(
        "drift",
        "ks",
        leaf,
        "warning",
        f"{percent(share_new)} of {leaf} lie at or below {found.place:.4g}, of the reference "
        f"{percent(share_old)}.",
        count=round(found.value * len(new)),
        total=len(new),
        subject="values",
        value=found.value,
        threshold=limit,
    )


def tell_psi(
    leaf: str,
    codes: tuple[NDArray[np.intp], NDArray[np.intp]],
    bins: int,
    groups: tuple[Groups, Groups],
    least: float,
) -> Iterator[Finding]:
    """Tell of bins, or categories, that values moved between, by more than a limit and what chance gives."""
    found = psi_with_chance(*codes, bins, *groups)
    limit = least + _TIMES_CHANCE * found.chance
    if found.value < limit:
        return
    shares = [np.bincount(side, minlength=bins) / len(side) for side in codes]
    moved = float(np.abs(shares[0] - shares[1]).sum() / 2)
    yield Finding(
        "drift",
        "psi",
        leaf,
        "warning",
        f"The population stability index of {leaf} is {found.value:.3f}, where {limit:.3f} is the limit: "
        f"{percent(moved)} of its values moved.",
        count=round(moved * len(codes[1])),
        total=len(codes[1]),
        subject="values",
        value=found.value,
        threshold=limit,
    )


def tell_new_category(
    leaf: str, new: pl.Series, fresh: NDArray[np.bool_], now: pa.Table, limit: float, severity: Severity
) -> Iterator[Finding]:
    """Tell of rows whose category the reference has not."""
    if not fresh.any() or fresh.mean() < limit:
        return
    names = new.filter(pl.Series(fresh)).value_counts(sort=True)[leaf].head(5).to_list()
    yield Finding(
        "drift",
        "new_category",
        leaf,
        severity,
        f"{int(fresh.sum())} of {len(new)} rows have a {leaf} that the reference has not: "
        f"{', '.join(map(repr, names))}.",
        count=int(fresh.sum()),
        total=len(new),
        value=float(fresh.mean()),
        threshold=limit,
        examples=row_examples(now, np.flatnonzero(fresh), {}),
    )


def tell_gone_category(
    leaf: str, known: pl.Series, shares: Numbers, there: NDArray[np.intp]
) -> Iterator[Finding]:
    """Tell of categories that the reference has in these shares, and no row has now."""
    for place in np.flatnonzero((shares >= _COMMON) & (there[: len(known)] == 0)):
        yield Finding(
            "drift",
            "gone_category",
            leaf,
            "warning",
            f"No row has {leaf} {known[int(place)]!r}; of the reference {percent(shares[place])} have.",
            total=int(there.sum()),
            value=0.0,
            threshold=float(shares[place]),
        )


def percent(share: float) -> str:
    """Write a share for people."""
    return f"{100 * share:.3g}%"
