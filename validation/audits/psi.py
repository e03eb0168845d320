"""Population stability index and two-sample Kolmogorov-Smirnov, with what chance alone gives them.

Rows of an episode are not independent, so chance is measured between episodes: the share of rows in a bin
varies by Σ(n_e(p_e - p))² / N² over the episodes e, which is p(1 - p) / N only where rows are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Groups = NDArray[np.integer]

BINS = 10
_FEW_VALUES = 20  # no more distinct ones than this are bins each
_LEAST = 1e-4  # no share counts as less: the logarithm of nothing is no figure
_FEW_GROUPS = 8  # fewer tell nothing of how much they vary


@dataclass(frozen=True, slots=True)
class Distance:
    """Hold how far two samples lie apart, and what of it chance explains."""

    value: float
    chance: float  # PSI: what it is expected to be without drift; KS: how likely so much is without drift
    place: float | None = None  # KS: the number at which the shares below it differ most


def psi(reference: ArrayLike, current: ArrayLike, bins: int = BINS) -> float:
    """Return the population stability index, Σ (c - r) ln(c / r) over bins, of two samples of numbers.

    Bins are quantiles of the reference, with one more beyond each of its ends; where it has no more than 20
    values, these and what lies between. Shares r and c count as 0.0001 at least. Below 0.1 is usually called
    stable, from 0.25 on changed.
    """
    before, now = _finite(reference), _finite(current)
    edges = bin_edges(before, bins)
    return psi_of_shares(_shares(bin_of(before, edges), edges), _shares(bin_of(now, edges), edges))


def psi_of_shares(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the index of shares that are known already, as of categories."""
    before, now = (np.maximum(np.asarray(shares, np.float64), _LEAST) for shares in (reference, current))
    return float(((now - before) * np.log(now / before)).sum())


def bin_edges(reference: Numbers, bins: int = BINS) -> Numbers:
    """Return ascending edges; `bin_of` says what lies between them."""
    values = np.unique(reference)
    if len(values) <= _FEW_VALUES:
        # An edge just below and just above each value: the bins between hold what the reference never had.
        return np.unique(np.concatenate([np.nextafter(values, -np.inf), values]))
    quantiles = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)))
    quantiles[0] = np.nextafter(quantiles[0], -np.inf)
    return quantiles


def bin_of(values: Numbers, edges: Numbers) -> NDArray[np.intp]:
    """Return the bin of each value: 0 below all edges, then (edge, next edge], and one above them."""
    return np.searchsorted(edges, values, side="left")


def psi_with_chance(
    reference: NDArray[np.intp],
    current: NDArray[np.intp],
    bins: int,
    reference_groups: Groups,
    current_groups: Groups,
) -> Distance:
    """Compare binned samples whose rows belong to groups, such as episodes, that are independent."""
    sides = ((reference, reference_groups), (current, current_groups))
    shares = [np.bincount(codes, minlength=bins) / max(1, len(codes)) for codes, _ in sides]
    spread = sum(_variances(codes, bins, groups) for codes, groups in sides)
    expected = np.maximum((shares[0] + shares[1]) / 2, _LEAST)
    return Distance(psi_of_shares(*shares), float((spread / expected).sum()))


def ks_with_chance(
    reference: Numbers, current: Numbers, reference_groups: Groups, current_groups: Groups
) -> Distance:
    """Return the largest difference of the shares below a number, and how likely chance makes it so large.

    The rows count for as many as are independent, by how much the share at that place varies between groups.
    """
    from scipy.special import kolmogorov
    from scipy.stats import ks_2samp

    found = ks_2samp(reference, current, method="asymp")
    place, difference = float(found.statistic_location), float(found.statistic)
    counted, share = [], float(np.mean(np.concatenate([reference, current]) <= place))
    whole = share * (1 - share)
    for values, groups in ((reference, reference_groups), (current, current_groups)):
        below = (values <= place).astype(np.intp)
        # Where all of a side lies below, or none, that side cannot tell how much it varies.
        own = float(below.mean())
        effect = _variances(below, 2, groups)[1] * len(values) / (own * (1 - own)) if 0 < own < 1 else 1.0
        counted.append((len(values), max(1.0, effect)))
    worst = max(effect for _, effect in counted)
    first, second = (rows / worst for rows, _ in counted)
    likely = float(kolmogorov(difference * np.sqrt(first * second / (first + second)))) if whole else 1.0
    return Distance(difference, likely, place)


def _variances(codes: NDArray[np.intp], bins: int, groups: Groups) -> Numbers:
    """Return the variance of the share of each bin, as groups of rows vary."""
    rows = len(codes)
    if not rows:
        return np.zeros(bins)
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    counts = np.bincount(group * bins + codes, minlength=len(sizes) * bins).reshape(len(sizes), bins)
    shares = counts.sum(0) / rows
    between = ((counts - sizes[:, None] * shares) ** 2).sum(0) / rows**2
    if len(sizes) < _FEW_GROUPS:
        between = np.maximum(between, shares * (1 - shares) / len(sizes))
    return np.asarray(between)


def _shares(codes: NDArray[np.intp], edges: Numbers) -> Numbers:
    return np.bincount(codes, minlength=len(edges) + 1) / max(1, len(codes))


def _finite(values: ArrayLike) -> Numbers:
    numbers = np.asarray(values, np.float64).ravel()
    return numbers[np.isfinite(numbers)]
