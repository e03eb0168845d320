"""Duplicates: the same content under another key. A world of few states repeats itself honestly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.finding import Finding
from validation.audits.shares import compare
from validation.audits.trajectories import Mask, Trajectories

_AUDIT = "duplicates"
_SHOWN = 5
# How unlikely a repetition must be, in bits of the surprise of its rows, before it is no honest one.
_BITS = 40.0
_PIECE = 6  # rows in a row that are the same in two episodes
_Hashes = NDArray[np.uint64]


def check_duplicates(
    steps: pa.Table | pl.DataFrame, spec: ArchiveSpec, reference: pa.Table | pl.DataFrame | None = None
) -> list[Finding]:
    """Find episodes that stand there twice, pieces of episodes in others, and rows said again.

    Whether a repetition is one is judged by how surprising its rows are: by how often each follows the row
    before it. A path through a grid that many episodes take is no duplicate. The reference says how often
    rows repeat the one before; episodes that stand in it too are told as information.
    """
    held = Trajectories.of(steps, spec)
    if not len(held):
        return []
    rows = _contents(held)
    bits = _surprise(held, rows)
    twice, twins = _same_episodes(held, rows, bits)
    found = _episodes_found(held, twice, twins)
    found += _pieces_found(held, rows, bits, twice)
    if reference is not None:
        known = Trajectories.of(reference, spec)
        found += _repeats_found(held, rows, known, _contents(known))
        found += _known_found(held, rows, bits, known, _contents(known))
    return found


def _contents(held: Trajectories) -> _Hashes:
    """Hash what happened in each row: observation, action and reward."""
    numbers = np.column_stack([held.observation, held.action, held.reward]) + 0.0  # no -0.0
    frame = pl.DataFrame({str(index): column for index, column in enumerate(numbers.T)})
    return frame.hash_rows(seed=7).to_numpy()


def _surprise(held: Trajectories, rows: _Hashes) -> NDArray[np.float64]:
    """Return the bits of surprise of each row: how rarely it follows the one before, of all that did.

    Where the row before only ever led here, nothing is known of what else might have followed; then the
    surprise is that of the row among all.
    """
    frame = pl.DataFrame(
        {"row": rows, "before": np.where(_continues(held), np.roll(rows, 1), np.uint64(0)), "e": held.episode}
    )
    one, total = pl.len(), float(len(rows))
    counted = frame.select(
        together=one.over("before", "row").cast(pl.Float64),
        before=one.over("before").cast(pl.Float64),
        alone=one.over("row").cast(pl.Float64),
        kinds=pl.col("row").n_unique().over("before"),
    )
    together, before, alone, kinds = (counted[name].to_numpy() for name in counted.columns)
    # A row whose predecessor only ever led here carries surprise by its own rarity alone.
    by_path = -np.log2(together / before)
    by_rarity = np.where(alone <= 4, np.log2(total / alone), 0.0)
    held_bits: NDArray[np.float64] = np.where(kinds > 1, by_path, by_rarity)
    return held_bits


def _continues(held: Trajectories) -> Mask:
    """Mark the rows that follow a row of their episode."""
    continues = np.zeros(len(held), np.bool_)
    continues[1:] = held.follows[:-1]
    return continues


def _bounds(held: Trajectories) -> NDArray[np.intp]:
    return np.searchsorted(held.episode, np.arange(held.episodes + 1))


def _episode_hashes(held: Trajectories, rows: _Hashes) -> list[bytes]:
    edges = _bounds(held)
    return [rows[start:end].tobytes() for start, end in pairwise(edges)]


def _episode_bits(held: Trajectories, bits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(held.episode, bits, held.episodes).astype(np.float64)


def _same_episodes(
    held: Trajectories, rows: _Hashes, bits: NDArray[np.float64]
) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Return the episodes whose whole content an earlier one has, and which one."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for episode, content in enumerate(_episode_hashes(held, rows)):
        groups[content].append(episode)
    surprising = _episode_bits(held, bits) > _BITS
    twins = {
        later: group[0] for group in groups.values() if len(group) > 1 and surprising[group[0]]
        for later in group[1:]
    }  # fmt: skip
    return np.array(sorted(twins), np.int64), twins


def _episodes_found(held: Trajectories, twice: NDArray[np.int64], twins: dict[int, int]) -> list[Finding]:
    if not len(twice):
        return []
    first = _bounds(held)
    keys = [held.examples([first[later], first[twins[later]]]) for later in twice.tolist()]
    differing = [
        next(
            (name for name in ("episode_id", "agent_id", "source") if one[name] != other[name]), "episode_id"
        )
        for one, other in keys
    ]
    column = max(set(differing), key=lambda name: (differing.count(name), name))
    examples = [
        {**_episode_key(one), **{f"same_{name}": value for name, value in _episode_key(other).items()}}
        for one, other in keys[:_SHOWN]
    ]
    text = f"{len(twice)} of {held.episodes} episodes hold the same rows as another one."
    return [
        Finding(
            _AUDIT,
            "episode",
            column,
            "critical",
            text,
            len(twice),
            held.episodes,
            "episodes",
            examples=examples,
        )
    ]


def _episode_key(key: dict[str, object]) -> dict[str, object]:
    return {name: key[name] for name in ("source", "agent_id", "episode_id")}


def _pieces_found(
    held: Trajectories, rows: _Hashes, bits: NDArray[np.float64], twice: NDArray[np.int64]
) -> list[Finding]:
    """Find runs of rows that two episodes share, beyond those that are the same as a whole."""
    if len(held) < _PIECE:
        return []
    frame = pl.DataFrame({str(by): np.roll(rows, -by) for by in range(_PIECE)})
    piece = frame.hash_rows(seed=7).to_numpy()
    whole = np.zeros(len(held), np.bool_)
    joined = held.follows.astype(np.int64)
    reach = np.convolve(joined, np.ones(_PIECE - 1, np.int64))[_PIECE - 2 :][: len(held)]
    whole[: len(reach)] = reach[: len(held)] == _PIECE - 1
    whole &= ~np.isin(held.episode, twice)
    told = pl.DataFrame({"piece": piece, "episode": held.episode, "at": np.arange(len(held))}).filter(whole)
    told = told.with_columns(first=pl.col("episode").min().over("piece"))
    shared = told.filter(pl.col("episode") > pl.col("first"))
    weight = np.convolve(bits, np.ones(_PIECE))[_PIECE - 1 :][: len(held)]
    unlikely = shared.filter(pl.Series(weight[shared["at"].to_numpy()] > _BITS, dtype=pl.Boolean))
    if not unlikely.height:
        return []
    marked = np.unique((unlikely["at"].to_numpy()[:, None] + np.arange(_PIECE)).ravel())
    episodes = np.unique(held.episode[marked])
    first = [marked[np.searchsorted(held.episode[marked], episode)] for episode in episodes[:_SHOWN]]
    text = f"{len(marked)} of {len(held)} rows, in {len(episodes)} episodes, are pieces of other episodes."
    return [
        Finding(
            _AUDIT, "piece", "episode_id", "critical", text, len(marked), len(held),
            examples=held.examples(first),
        )
    ]  # fmt: skip


def _repeats_found(held: Trajectories, rows: _Hashes, known: Trajectories, usual: _Hashes) -> list[Finding]:
    """Find rows that say the same as the row before, where that is commoner than in the reference."""
    mine, theirs = (_repeats(one, hashes) for one, hashes in ((held, rows), (known, usual)))
    share = compare(mine, held.episode, theirs, known.episode)
    if not share.stands_out():
        return []
    text = (
        f"{share.count} of {share.total} rows say the same as the row before them"
        f" ({share.value:.2%}, and {share.reference:.2%} in the reference)."
    )
    return [
        Finding(
            _AUDIT, "repeated_row", "step", "critical", text, share.count, share.total, "rows",
            share.value, share.reference, held.examples(np.flatnonzero(mine)[:_SHOWN]),
        )
    ]  # fmt: skip


def _repeats(held: Trajectories, rows: _Hashes) -> Mask:
    repeats = np.zeros(len(rows), np.bool_)
    repeats[1:] = (rows[1:] == rows[:-1]) & (held.episode[1:] == held.episode[:-1])
    return repeats


def _known_found(
    held: Trajectories, rows: _Hashes, bits: NDArray[np.float64], known: Trajectories, theirs: _Hashes
) -> list[Finding]:
    """Tell of episodes that the reference holds too: it may be of the same archive."""
    there = set(_episode_hashes(known, theirs))
    surprising = _episode_bits(held, bits) > _BITS
    again = [
        episode
        for episode, content in enumerate(_episode_hashes(held, rows))
        if surprising[episode] and content in there
    ]
    if not again:
        return []
    text = f"{len(again)} of {held.episodes} episodes stand in the reference too."
    examples: Sequence[dict[str, object]] = held.examples(_bounds(held)[again[:_SHOWN]])
    return [
        Finding(
            _AUDIT, "in_reference", "episode_id", "info", text, len(again), held.episodes, "episodes",
            examples=examples,
        )
    ]  # fmt: skip
