"""Mixed-up agents: rows that go on where another agent of the same environment left off, not their own."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.membership import has_floats
from validation.audits.leaves import numeric_leaves
from validation.constraint import linked
from validation.neighbours import Ordered, unequal

ENVIRONMENT = ("source", "episode_id")
_FAR = 5.0  # times the median distance of one step: what goes further may be another agent's
_NEARER = 0.2  # of the own distance, for both of a pair of agents, to call them swapped
_PLACE = ("environment", "step")
_FOUND = {"row": pl.Int64, "other": pl.String}


def mixed_rows(frame: pl.DataFrame, ordered: Ordered, spec: ArchiveSpec) -> pl.DataFrame:
    """Return the keys of rows that belong to another agent, and of which: `other_agent_id`.

    Three things tell. An agent's next_observation is another agent's next observation, and not its own. An
    agent lacks a step, and another has it twice or begins with it. Two agents each go far in one step, to
    where the other one was near.
    """
    one = _numbered(frame, ordered)
    links = linked(frame, ordered)
    parts = [_by_chain(frame, ordered, one, links), _by_absence(frame, ordered, one)]
    if has_floats(spec.observation):
        parts.append(_by_distance(frame[ordered.rows], one, links, spec))
    found = pl.concat(parts).unique("row", keep="first", maintain_order=True).sort("row")
    keys = frame.select("source", "agent_id", "episode_id", "step")[found["row"]]
    return keys.with_columns(found["other"].alias("other_agent_id"))


def _numbered(frame: pl.DataFrame, ordered: Ordered) -> pl.DataFrame:
    """Return the steps in order, with the number of their environment and their place in the order."""
    one = frame.select(*ENVIRONMENT, "agent_id", "step")[ordered.rows]
    one = one.with_columns(pl.Series("row", ordered.rows), pl.Series("place", np.arange(one.height)))
    return one.with_columns(pl.col("place").first().over(ENVIRONMENT).alias("environment"))


def _by_chain(
    frame: pl.DataFrame, ordered: Ordered, one: pl.DataFrame, links: NDArray[np.bool_]
) -> pl.DataFrame:
    """Find steps whose observation another agent's next_observation foretold, and their own did not."""
    following = frame["next_observation"][ordered.rows]
    observation = frame["observation"][ordered.rows]
    broken = links & following.is_not_null().to_numpy()
    broken[broken] = unequal(following.filter(broken), observation.shift(-1).filter(broken))
    after = np.zeros(len(links), np.bool_)
    after[1:] = broken[:-1]
    left = one.filter(pl.Series(broken)).select(
        "environment", pl.col("step") + 1, pl.col("agent_id").alias("other"), pl.col("place").alias("before")
    )
    pairs = left.join(one.filter(pl.Series(after)), on=_PLACE).filter(pl.col("agent_id") != pl.col("other"))
    equal = ~unequal(following[pairs["before"]], observation[pairs["place"]])
    return pairs.filter(pl.Series(equal)).select("row", "other")


def _by_absence(frame: pl.DataFrame, ordered: Ordered, one: pl.DataFrame) -> pl.DataFrame:
    """Find rows of a step that their agent has twice, or begins with, where another agent lacks it.

    A next_observation before it decides where there is one.
    """
    agent = (*_PLACE, "agent_id")
    numbers = one.select(*ENVIRONMENT, "environment").unique()
    again = frame.select(*ENVIRONMENT, "agent_id", "step")[ordered.again]
    again = again.with_columns(pl.Series("row", ordered.again)).join(numbers, on=ENVIRONMENT)
    both = again.select(*agent, "row").join(one.select(*agent, pl.col("row").alias("first")), on=agent)
    observation, following = frame["observation"], frame["next_observation"]
    differ = both.filter(pl.Series(unequal(observation[both["row"]], observation[both["first"]])))
    # Either of two rows may be the strange one; where nothing decides, it is the one that came later.
    twice = [
        differ.select(*agent, pl.col(name).alias("row"), pl.lit(suspect).alias("suspect"))
        for name, suspect in (("row", True), ("first", False))
    ]
    new = np.diff(ordered.episodes, prepend=-1) != 0
    lonely = one.with_columns(pl.Series("suspect", new)).filter(
        pl.Series(_begins(ordered)) & (pl.col("step") > 0)
    )
    # Another agent that was there the step before, did not end, and is not there now.
    ended = frame.select(pl.any_horizontal("terminated", "truncated").fill_null(False))[ordered.rows]
    before = one.filter(~ended.to_series()).select(
        "environment", pl.col("step") + 1, pl.col("agent_id").alias("other"), pl.col("row").alias("before")
    )
    there = one.select(*_PLACE, pl.col("agent_id").alias("other"))
    pairs = pl.concat([*twice, lonely.select(*agent, "row", "suspect")]).join(before, on=_PLACE)
    pairs = pairs.filter(pl.col("agent_id") != pl.col("other")).join(there, on=[*_PLACE, "other"], how="anti")
    foretold = following[pairs["before"]]
    equal = ~unequal(foretold, observation[pairs["row"]])
    known = foretold.is_not_null().to_numpy()
    odd = np.where(known, equal, pairs["suspect"].to_numpy())
    return pairs.filter(pl.Series(odd, dtype=pl.Boolean)).select("row", "other")


def _by_distance(
    steps: pl.DataFrame, one: pl.DataFrame, links: NDArray[np.bool_], spec: ArchiveSpec
) -> pl.DataFrame:
    """Find pairs of agents that each go far in one step, to where the other one was near."""
    leaves = np.column_stack([*numeric_leaves(steps, spec, ("observation",)).values()])
    places = np.flatnonzero(links)
    with np.errstate(invalid="ignore"):  # of infinities: no distance, which is not far
        moves = np.abs(leaves[places + 1] - leaves[places])
        scales = np.array([_median(move) for move in moves.T])
        used = scales > 0
        if not used.any():
            return pl.DataFrame(schema=_FOUND)
        held, scales = leaves[:, used], scales[used]
        own = np.full(len(links), np.nan)
        own[places] = (moves[:, used] / scales).mean(1)
        far = one.filter(pl.Series(own > _FAR * _median(own))).select(*_PLACE, "agent_id", "place")
        pairs = far.join(far, on=_PLACE).filter(pl.col("agent_id") != pl.col("agent_id_right"))
        mine, other = pairs["place"].to_numpy(), pairs["place_right"].to_numpy()
        across = (np.abs(held[other + 1] - held[mine]) / scales).mean(1)
        back = (np.abs(held[mine + 1] - held[other]) / scales).mean(1)
    swapped = (across < _NEARER * own[mine]) & (back < _NEARER * own[other])
    rows = one["row"].to_numpy()[mine[swapped] + 1]
    others = pairs["agent_id_right"].filter(pl.Series(swapped))
    return pl.DataFrame({"row": rows, "other": others}, schema=_FOUND)


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _begins(ordered: Ordered) -> NDArray[np.bool_]:
    """Say which steps have not the step before them in their episode."""
    begins = np.ones(len(ordered.rows), np.bool_)
    begins[1:] = ~ordered.follows[:-1]
    return begins
