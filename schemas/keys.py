"""What tells two rows apart: the key by which a step is known, and what its producer said of it.

Whoever looks for duplicates, as rows come in or long after, has to mean the same by one.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from schemas.step import DATE_FIELD, GATE_FIELDS, KEY_COLUMNS, LINEAGE_FIELDS

KEY_NAMES = tuple(f"key_{name}" for name in KEY_COLUMNS)
# What the gate and the worker add, and the time: sent again, a row may carry another one.
_NOT_SAID = frozenset({field.name for field in (*GATE_FIELDS, *LINEAGE_FIELDS, DATE_FIELD)} | {"event_time"})
_SEEDS = (0x5EED, 0xC0FFEE)


def key_expressions() -> list[pl.Expr]:
    """Return the columns of a row's key: the producer's own id where it has one, else its place."""
    own = pl.col("event_id").is_not_null()
    always = [pl.col(name).alias(f"key_{name}") for name in ("event_id", "source")]
    place = ("agent_id", "episode_id", "step")
    return always + [pl.when(~own).then(pl.col(name)).alias(f"key_{name}") for name in place]


def has_key() -> pl.Expr:
    """Say whether a row has a key: without one nobody can tell whether it is there twice."""
    place = pl.col("episode_id").is_not_null() & pl.col("step").is_not_null()
    return pl.col("event_id").is_not_null() | place


def hash_halves(columns: Iterable[str | pl.Expr]) -> list[pl.Expr]:
    """Return two hashes over columns together, 128 bits of them; they hold for this process alone."""
    together = pl.struct(list(columns))
    return [together.hash(seed).alias(f"hash_{number}") for number, seed in enumerate(_SEEDS)]


def said_columns(columns: Iterable[str]) -> list[str]:
    """Name the columns that hold what the producer said, of those given."""
    return [name for name in columns if name not in _NOT_SAID]
