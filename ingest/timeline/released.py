"""Released: the steps that are settled, as a table of the archive's wire schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.records import Refused
from ingest.timeline.report import TimelineReport
from ingest.timeline.spec import TimelineSpec
from schemas.step import TIMESTAMP

NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """Hold steps that will not change any more, what was refused, and the counts of both.

    The steps of an episode come in their order; those of different episodes in any.
    """

    steps: pa.Table  # the archive's wire columns
    refused: tuple[Refused, ...] = ()
    report: TimelineReport = field(default_factory=TimelineReport)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Say of N steps what the timeline found, beside what their events carry."""

    row: NDArray[np.int64]  # (N,) their rows of the payload
    next_row: NDArray[np.int64]  # (N,) the row whose observation came next, or NOWHERE
    episode: pa.StringArray  # (N,)
    step: NDArray[np.int64]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,)
    joined: NDArray[np.float64]  # (N, rewards) what each entry of `rewards` brought
    came: NDArray[np.bool_]  # (N, rewards)
    gap: NDArray[np.int64]  # (N,) the silence after the step, in microseconds; 0 is none to note


def assemble(payload: pa.Table, plan: Plan, spec: TimelineSpec) -> pa.Table:
    """Make the steps of a plan."""
    table = payload.take(pa.array(plan.row)).combine_chunks()
    columns = {
        "episode_id": plan.episode,
        "step": pa.array(plan.step),
        "terminated": pa.array(plan.terminated),
        "truncated": pa.array(plan.truncated),
        "reward": _rewards(table["reward"], plan, spec),
        "next_observation": _next_observations(payload, table["next_observation"], plan),
        "info": _with_gaps(table["info"], plan.gap),
    }
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), column)
    return table


def episode_names(
    session: pa.StringArray, start: NDArray[np.int64], ordinal: NDArray[np.int64]
) -> pa.StringArray:
    """Name sessions by their key and start: no two of a key share both, but for the ordinal."""
    started = pa.array(start).cast(TIMESTAMP).cast(pa.string())
    started = pc.replace_substring(started, " ", "T")
    named = pc.binary_join_element_wise(session, started, "@")
    if not ordinal.any():
        return named
    numbered = pc.binary_join_element_wise(named, pa.array(ordinal).cast(pa.string()), "#")
    return pc.if_else(pa.array(ordinal > 0), numbered, named)


def _rewards(own: pa.ChunkedArray, plan: Plan, spec: TimelineSpec) -> pa.Array:
    """Add what came to the step's own reward; where neither is, the default stands."""
    if not spec.rewards:
        return own
    known = np.asarray(own.is_valid())
    total = own.fill_null(0.0).to_numpy().copy()
    for place in range(len(spec.rewards)):
        came = plan.came[:, place]
        total[came] += plan.joined[came, place]
        known |= came
    rewards = pa.array(total, mask=~known)
    return rewards if spec.default_reward is None else rewards.fill_null(spec.default_reward)


def _next_observations(payload: pa.Table, own: pa.ChunkedArray, plan: Plan) -> pa.ChunkedArray:
    found = plan.next_row != NOWHERE
    if not found.any():
        return own
    both = pa.chunked_array([*own.chunks, *payload["observation"].chunks], own.type)
    place = np.where(found, len(own) + plan.next_row, np.arange(len(own)))
    return both.take(pa.array(place))


def _with_gaps(info: pa.ChunkedArray, gap: NDArray[np.int64]) -> pa.ChunkedArray | pa.Array:
    """Note gaps in `info`, the one column of free fields that every archive has and audits can read."""
    noted = np.flatnonzero(gap)
    if not len(noted):
        return info
    lengths, kind = np.unique(gap[noted], return_inverse=True)
    members = [f'"gap_seconds":{length / 1e6!r}' for length in lengths.tolist()]
    infos = info.take(pa.array(noted))
    if infos.null_count == len(infos):
        written = pa.array([f"{{{member}}}" for member in members], pa.string()).take(pa.array(kind))
    else:
        merged = [
            _merged(text, members[place])
            for text, place in zip(infos.to_pylist(), kind.tolist(), strict=True)
        ]
        written = pa.array(merged, pa.string())
    return pc.replace_with_mask(_whole(info), pa.array(gap > 0), _whole(written))


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _merged(info: str | None, member: str) -> str:
    """Add a member to a JSON object; what is none is kept beside it."""
    if info is None:
        return f"{{{member}}}"
    try:
        fields = json.loads(info)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return f'{{{member},"info":{json.dumps(info)}}}'
    if "gap_seconds" in fields:  # the log knows better
        return info
    return f"{info.rstrip()[:-1]}{',' if fields else ''}{member}}}"
