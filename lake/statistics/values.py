"""What is known of the values of steps: rewards, propensities, lag, and the leaves of both spaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lake.statistics.leaves import Leaf, leaves
from lake.statistics.moments import Floats, Moments
from lake.statistics.tallies import Tally, bins_of
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Discrete

MOST_BINNED = 64  # dimensions of a leaf that quantiles are known of
MOST_PAIRS = 1 << 22  # of a state and an action
_SPACES = ("observation", "action")
_COLUMNS = ("reward", "action_log_prob", "event_time", "ingested_at")


@dataclass(frozen=True, eq=False)
class Values:
    """Hold what is known of one leaf: of numbers their moments and bins, of choices how often each came."""

    rows: int  # that were looked at
    moments: Moments | None = None
    tallies: tuple[Tally, ...] = ()  # of bins, or of choices, a tally for each dimension

    @classmethod
    def joined(cls, parts: Sequence[Values]) -> Values:
        """Put together what is known of parts."""
        moments = [part.moments for part in parts if part.moments is not None]
        tallies = zip(*(part.tallies for part in parts), strict=True)
        return cls(
            sum(part.rows for part in parts),
            Moments.joined(moments) if moments else None,
            tuple(Tally.joined(same) for same in tallies),
        )


KnownValues = Mapping[str, Values]  # by the name of the leaf, or of the column


def known_leaves(spec: ArchiveSpec) -> list[Leaf]:
    """Return the leaves of the spec's two spaces."""
    return [*leaves("observation", spec.observation), *leaves("action", spec.action)]


def sampled_columns(spec: ArchiveSpec) -> set[str]:
    """Name the columns of which only some rows are read: those with images or the like."""
    return {leaf.column for leaf in known_leaves(spec) if leaf.kind == "pixels"}


def value_columns(spec: ArchiveSpec) -> list[str]:
    """Name the columns that every row is read of."""
    sampled = sampled_columns(spec)
    return [*_COLUMNS, *(name for name in _SPACES if name not in sampled)]


def values_of(rows: pa.Table, spec: ArchiveSpec) -> dict[str, Values]:
    """Sum up the columns that are there."""
    found = {leaf.name: leaf_values(leaf, rows) for leaf in known_leaves(spec) if _holds(rows, leaf.column)}
    if _holds(rows, "reward"):
        found["reward"] = _numbers(_column(rows["reward"]), _nulls(rows["reward"]))
        found["propensity"] = _propensities(rows["action_log_prob"], spec)
        found["lag"] = _lag(rows)
    if has_pairs(spec) and _holds(rows, "observation") and _holds(rows, "action"):
        found["pairs"] = _pairs(rows, spec)
    return found


def joined_values(parts: Iterable[KnownValues]) -> dict[str, Values]:
    """Put together what is known of parts."""
    gathered: dict[str, list[Values]] = {}
    for part in parts:
        for name, values in part.items():
            gathered.setdefault(name, []).append(values)
    return {name: Values.joined(values) for name, values in gathered.items()}


def values_to_bytes(values: KnownValues) -> bytes:
    """Write what is known, to be kept."""
    return orjson.dumps(
        {
            name: {
                "rows": held.rows,
                "moments": None if held.moments is None else held.moments.to_json(),
                "tallies": [tally.to_json() for tally in held.tallies],
            }
            for name, held in values.items()
        }
    )


def values_from_bytes(data: bytes) -> dict[str, Values]:
    """Read what `values_to_bytes` gave."""
    content: dict[str, Any] = orjson.loads(data)
    return {
        name: Values(
            held["rows"],
            None if held["moments"] is None else Moments.from_json(held["moments"]),
            tuple(map(Tally.from_json, held["tallies"])),
        )
        for name, held in content.items()
    }


def has_pairs(spec: ArchiveSpec) -> bool:
    """Say whether pairs of a state and an action can be counted."""
    states, actions = spec.observation, spec.action
    return (
        isinstance(states, Discrete) and isinstance(actions, Discrete) and states.n * actions.n <= MOST_PAIRS
    )


def leaf_values(leaf: Leaf, rows: pa.Table) -> Values:
    """Sum up the values of one leaf."""
    values, missing = leaf.values(rows[leaf.column])
    if leaf.kind == "choices":
        return Values(values.shape[1], None, tuple(_choices(values, missing)))
    numbers = values.astype(np.float64, copy=False)
    if leaf.kind == "pixels":
        if missing is not None:
            numbers[missing] = np.nan
        # Channels lie innermost: every so many rows are of the same one.
        channels = [numbers[place :: leaf.channels].reshape(-1) for place in range(leaf.channels)]
        return Values(values.shape[1], Moments.of(np.stack(channels)))
    return _numbers(numbers, missing, leaf.dimensions <= MOST_BINNED)


def _numbers(values: Floats, missing: npt.NDArray[np.bool_] | None, is_binned: bool = True) -> Values:
    tallies: tuple[Tally, ...] = ()
    if is_binned:
        finite = np.isfinite(values) if missing is None else np.isfinite(values) & ~missing
        full = bool(finite.all())
        tallies = tuple(bins_of(row if full else row[mask]) for row, mask in zip(values, finite, strict=True))
    return Values(values.shape[1], Moments.of(values, missing), tallies)


def _choices(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None) -> Iterator[Tally]:
    for place, row in enumerate(values):
        yield Tally.of(row if missing is None else row[~missing[place]])


def _propensities(column: pa.ChunkedArray, spec: ArchiveSpec) -> Values:
    """Sum up probabilities or, where the spec says densities, their logarithms."""
    logs = _column(column)
    with np.errstate(over="ignore"):
        values = np.exp(logs) if spec.propensity == "mass" else logs
    return _numbers(values, _nulls(column))


def _lag(rows: pa.Table) -> Values:
    """Sum up how many seconds after its event each step landed."""
    event, landed = (rows[name].cast(pa.int64()) for name in ("event_time", "ingested_at"))
    between = pc.divide(pc.subtract(landed, event).cast(pa.float64()), 1e6)
    return _numbers(_column(between), _nulls(between))


def _pairs(rows: pa.Table, spec: ArchiveSpec) -> Values:
    """Count pairs of a state and an action, both in their spaces, by one number."""
    states, actions = spec.observation, spec.action
    if not (isinstance(states, Discrete) and isinstance(actions, Discrete)):
        raise TypeError("Pairs are counted of two discrete spaces.")
    known = rows.filter(pc.and_(rows["observation"].is_valid(), rows["action"].is_valid()))
    state = known["observation"].to_numpy() - states.start
    action = known["action"].to_numpy() - actions.start
    inside = (state >= 0) & (state < states.n) & (action >= 0) & (action < actions.n)
    return Values(known.num_rows, None, (Tally.of(state[inside] * actions.n + action[inside]),))


def _column(column: pa.ChunkedArray) -> Floats:
    values: Floats = column.fill_null(0.0).to_numpy().reshape(1, -1)
    return values


def _nulls(column: pa.ChunkedArray) -> npt.NDArray[np.bool_] | None:
    return np.asarray(column.is_null()).reshape(1, -1) if column.null_count else None


def _holds(rows: pa.Table, column: str) -> bool:
    return column in rows.column_names
