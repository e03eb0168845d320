"""The keys of one row group: the order of its rows, and the runs of episodes among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from lake.reading.keys import PLACE, Keys, codes_of, steps_of
from lake.reading.source import Unit
from schemas.step import ROW_ORDER

_OWN = "next_observation"
_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class Scan:
    """Hold what the keys of a row group say; `linked` and `own` are in the order of the key.

    A run is a stretch of one episode, with no row of null keys in it. `runs` has the key of each run's
    first row, its last step, how many rows it has, and whether rows of equal keys are in it.
    """

    order: NDArray[np.uint32] | None  # the rows in the order of their key; None where they lie so already
    runs: pl.DataFrame
    linked: NDArray[np.bool_]  # (rows,): the row after it in its run is the agent's next turn
    own: NDArray[np.bool_]  # (rows,): it has a next observation of its own


class UnplainKeysError(Exception):
    """Say that a row's place is not told by its episode and its step alone."""


def scan(unit: Unit) -> Scan:
    """Read the keys of a row group."""
    table = unit.read([*PLACE, "step"])
    keys = Keys({name: codes_of(table[name]) for name in PLACE}, *steps_of(table))
    own = _own_observations(unit)
    try:
        order = _plain_order(keys)
    except UnplainKeysError:
        return _with_events(unit, keys, own)
    step = keys.step if order is None else keys.step[order]
    begins = keys.begins(order)
    runs = keys.runs(step, begins, order).with_columns(
        pl.lit(None, pl.String).alias("event_id"), pl.lit(False).alias("tied")
    )
    return Scan(order, runs, _links(step, begins), own if order is None else own[order])


def singles(unit: Unit, order: NDArray[np.uint32] | None, positions: NDArray[np.int64]) -> pl.DataFrame:
    """Return a run for each of some rows of a row group, with all that tells rows of equal keys apart."""
    columns = [*ROW_ORDER, *TIES]
    table = unit.read(columns)
    rows = positions if order is None else order[positions]
    chosen = pl.DataFrame(table.take(pa.array(rows))).with_columns(pl.col(*PLACE).cast(pl.String))
    return chosen.with_columns(
        pl.col("step").alias("last"),
        pl.lit(1, pl.Int64).alias("length"),
        pl.lit(False).alias("tied"),
        pl.Series("offset", positions, pl.Int64),
    )


# Where keys are equal, the place in the stream decides: it is the same in whichever file the row lies.
TIES = ("event_time", "stream_topic", "stream_partition", "stream_offset", "stream_row")


def _plain_order(keys: Keys) -> NDArray[np.uint32] | None:
    """Return the rows in order by one number each; None where they lie so."""
    if keys.loose.any():
        raise UnplainKeysError
    least = int(keys.step.min())
    number, range_ = keys.step - least, int(keys.step.max()) - least + 1
    for name in reversed(PLACE):
        held = keys.codes[name]
        if not held.is_one:
            number = number + held.ranks() * range_
            range_ *= len(held.texts) + 1
        if range_ >= 1 << 63:
            raise UnplainKeysError
    if (number[1:] > number[:-1]).all():
        return None
    order = pl.Series(number).arg_sort().to_numpy()
    ordered = number[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise UnplainKeysError
    return order.astype(np.uint32)


def _links(step: NDArray[np.int64], begins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    linked = np.zeros(len(step), dtype=bool)
    linked[:-1] = ~begins[1:] & (step[1:] == step[:-1] + 1)
    return linked


def _with_events(unit: Unit, keys: Keys, own: NDArray[np.bool_]) -> Scan:
    """Put the rows in order by their events' ids, too; those without a place each by itself."""
    event_id = pl.Series(unit.read(["event_id"])["event_id"])
    frame = pl.DataFrame(
        {
            **{name: held.ranks() for name, held in keys.codes.items()},
            "stepped": ~keys.stepless,
            "step": keys.step,
            "event_id": event_id,
        }
    )
    columns = [*PLACE, "stepped", "step", "event_id"]
    order = (
        frame.select(pl.arg_sort_by(*columns, nulls_last=False, maintain_order=True)).to_series().to_numpy()
    )
    step, loose, changed = keys.step[order], keys.loose[order], keys.begins(order)
    begins = changed | loose
    begins[1:] |= loose[:-1]
    runs = keys.runs(step, begins, order)
    offset = runs["offset"].to_numpy()
    events = event_id.gather(order)
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] = ~changed[1:] & (step[1:] == step[:-1]) & events.eq_missing(events.shift(1)).to_numpy()[1:]
    stepless = pl.Series(keys.stepless[order][offset])
    runs = runs.with_columns(
        pl.when(~stepless).then(pl.col("step")),
        pl.when(~stepless).then(pl.col("last")),
        pl.when(pl.Series(loose[offset])).then(events.gather(offset)).alias("event_id"),
        pl.Series("tied", np.logical_or.reduceat(tied, offset)),
    )
    in_place = bool((order == np.arange(len(order))).all())
    return Scan(None if in_place else order.astype(np.uint32), runs, _links(step, begins), own[order])


def _own_observations(unit: Unit) -> NDArray[np.bool_]:
    known = unit.nulls(_OWN)
    if known is not None:
        return np.full(unit.rows, known == 0)
    parts = [np.asarray(batch.column(0).is_valid()) for batch in unit.batches([_OWN], _ROWS)]
    return np.concatenate(parts)
