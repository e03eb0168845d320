"""A random permutation of any number of rows that nobody has to hold."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def shuffle_keys(seed: int, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the 64-bit number of each row; rows in the order of their numbers are the permutation.

    No two rows have one number. It depends on the seed, the epoch and the row alone: so rows can be
    numbered in any order, by any process. Each is two rounds of SplitMix64's finaliser (Steele, Lea and
    Flood, "Fast Splittable Pseudorandom Number Generators", 2014) under a key made from seed and epoch.
    """
    digest = hashlib.sha256(f"replaylake shuffle {seed} {epoch}".encode()).digest()
    first, second = np.frombuffer(digest[:16], "<u8")
    with np.errstate(over="ignore"):
        mixed = _mixed(rows.astype(np.uint64) * _GOLDEN + first)
        return _mixed((mixed ^ second) + _GOLDEN)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _MIX:
        numbers = (numbers ^ (numbers >> shift)) * factor
    return numbers ^ (numbers >> np.uint64(31))


def buckets_of(keys: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Return which of `count` parts of equal width the numbers are in: all of one come before the next."""
    return ((keys >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
