"""Break rows on purpose, in six ways, and find again what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake import Lake
from schemas.step import WIRE_VERSION

_Record = dict[str, Any]


def _with_nan(record: _Record) -> bytes:
    return _line(record | {"observation": [*record["observation"][:2], "NaN", record["observation"][3]]})


def _with_three_numbers(record: _Record) -> bytes:
    return _line(record | {"observation": record["observation"][:3]})


def _outside_the_space(record: _Record) -> bytes:
    return _line(record | {"action": 7})


def _more_than_certain(record: _Record) -> bytes:
    return _line(record | {"action_probability": 1.0 + record["action_probability"]})


def _in_the_future(record: _Record) -> bytes:
    return _line(record | {"event_time": "2200-01-01" + record["event_time"][10:]})


def _cut(record: _Record) -> bytes:
    line = _line(record)
    return line[: 2 * len(line) // 3].rstrip()  # as it is published: without white space at its end


KINDS: Final[dict[str, Callable[[_Record], bytes]]] = {
    "NaN in an observation": _with_nan,
    "an observation of three numbers": _with_three_numbers,
    "an action outside the space": _outside_the_space,
    "a propensity above 1": _more_than_certain,
    "a clock in the year 2200": _in_the_future,
    "a line cut short": _cut,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One row as it was broken: what was done, and the line that is sent."""

    kind: str
    episode_id: str
    step: int
    line: bytes


@dataclass(frozen=True)
class Damage:
    """Say of one kind of damage how many rows had it, and which reasons quarantine gives for them."""

    kind: str
    published: int
    reasons: dict[str, int] = field(default_factory=dict)
    example: str = ""  # what quarantine says of one of them

    @property
    def found(self) -> int:
        """How many of the rows are in quarantine."""
        return sum(self.reasons.values())

    @property
    def matched(self) -> bool:
        """Whether quarantine has them all, for one reason."""
        return self.found == self.published and len(self.reasons) == 1


def choose_rows(rows: int, seed: int) -> NDArray[np.int64]:
    """Choose one row in a hundred, for the kinds of damage in turn."""
    generator = np.random.default_rng([seed, 2])
    chosen: NDArray[np.int64] = generator.choice(rows, rows // 100, replace=False)
    return chosen


def break_rows(table: pa.Table) -> list[Broken]:
    """Break each row of the table, in one of the six ways after the other."""
    kinds = list(KINDS.items())
    broken = []
    for number, record in enumerate(table.to_pylist()):
        kind, spoil = kinds[number % len(kinds)]
        sent = {"version": WIRE_VERSION, **record, "event_time": record["event_time"].isoformat()}
        broken.append(Broken(kind, record["episode_id"], record["step"], spoil(sent)))
    return broken


def find_damage(lake: Lake, broken: Sequence[Broken]) -> list[Damage]:
    """Look every broken row up in quarantine: by its place in its episode, or by its bytes."""
    query = "select episode_id, step, raw, reasons, detail from cartpole.quarantine order by all"
    held = {_identity(*row[:3]): (row[3], row[4]) for row in lake.sql(query).rows()}
    return [_look_up(kind, [one for one in broken if one.kind == kind], held) for kind in KINDS]


def _look_up(kind: str, broken: Iterable[Broken], held: dict[object, tuple[list[str], str]]) -> Damage:
    reasons: Counter[str] = Counter()
    example, count = "", 0
    for one in broken:
        count += 1
        found = held.get(_identity(one.episode_id, one.step, None)) or held.get(one.line)
        if found is not None:
            reasons[" + ".join(found[0])] += 1
            example = example or found[1]
    return Damage(kind, count, dict(reasons), example)


def _identity(episode_id: str | None, step: int | None, raw: bytes | None) -> object:
    return (episode_id, step) if raw is None else raw


def _line(record: _Record) -> bytes:
    return json.dumps(record).encode()
