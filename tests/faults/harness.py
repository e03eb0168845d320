"""What validation says of clean and of damaged experience, and whether it names what was done."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa

from schemas.steps import Steps
from tests.faults.corpus.kinds import FAULTS
from tests.faults.corpus.log import Fault, Truth
from tests.faults.environments import World, record, worlds
from tests.faults.judge import Judge, Said, Saying

ROWS = 20_000
SHARE = 0.05
# What clean experience is already said of counts as news where it is said of so many times as many.
_FAR_MORE = 10


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold a world's clean reference, clean experience that came later, and what is said of it."""

    world: World
    clean: Steps
    others: Mapping[str, pa.Table]
    judge: Judge
    said: Said  # of the clean experience


@dataclass(frozen=True)
class Outcome:
    """Tell what became of one fault in one world."""

    fault: Fault
    world: str
    truth: Truth
    news: Mapping[Saying, int]  # what is said now and was not said of clean experience
    right: tuple[Saying, ...] = field(default=())  # what of it names a right column

    @property
    def caught(self) -> bool:
        """Whether something was said that names what was done."""
        return bool(self.right)

    @property
    def first(self) -> bool:
        """Whether what is said most often names it, too."""
        return bool(self.news) and max(self.news, key=self.news.__getitem__) in self.right

    @property
    def exact(self) -> bool:
        """Whether an element is named where the truth is an element."""
        return any(saying.column in self.truth.columns for saying in self.right)


@cache
def scene(name: str, seed: int = 0, rows: int = ROWS) -> Scene:
    """Record a world, learn what is usual there, and hear what is said of clean experience."""
    world = worlds()[name]
    first = 10 * seed + 1
    reference, clean = record(world, first, rows), record(world, first + 1, rows)
    judge = Judge(world, reference)
    others = {
        "physics": record(world, first + 2, rows // 10, physics=world.other_physics).table,
        "policy": record(world, first + 3, rows // 10, policy=world.other_policy).table,
    }
    return Scene(world, clean, others, judge, judge.say(clean))


def try_fault(fault: Fault, on: Scene, seed: int = 0) -> Outcome:
    """Damage the clean experience of a scene, and hear what is said of it."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{fault.name} {on.world.name}".encode())])
    table, truth = fault.inject(on.clean.table, rng, SHARE, on.others)
    said = on.judge.say(Steps(table, on.world.spec))
    news = {
        saying: count
        for saying, count in said.sayings.items()
        if count > _FAR_MORE * on.said.sayings.get(saying, 0)
    }
    right = tuple(saying for saying in news if _names(saying.column, truth.columns))
    return Outcome(fault, on.world.name, truth, news, right)


def _names(said: str | None, truth: frozenset[str]) -> bool:
    """Say whether a column, or an element of one, is among those that were damaged.

    A whole column counts where one of its elements was damaged, and any element where the whole column was.
    """
    if said is None:
        return False
    return said in truth or said in {_whole(name) for name in truth} or _whole(said) in truth


def _whole(column: str) -> str:
    return re.split(r"[\[.]", column, maxsplit=1)[0]


def cases() -> Iterator[tuple[Fault, str]]:
    """Return every fault with every world where it can be, a world at a time."""
    for name in worlds():
        yield from ((fault, name) for fault in FAULTS if name in fault.worlds)


def table_of(outcomes: list[Outcome]) -> str:
    """Show what caught each fault in each world: a table in Markdown."""
    names = list(worlds())
    found = {(outcome.fault.name, outcome.world): outcome for outcome in outcomes}
    lines = [f"| fault | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for fault in FAULTS:
        cells = [_cell(found.get((fault.name, name))) for name in names]
        lines.append(f"| `{fault.name}`: {fault.says} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "n/a"
    if not outcome.caught:
        return "**missed**"
    ways = Counter({f"{saying.by} {saying.check}": outcome.news[saying] for saying in outcome.right})
    shown = [way for way, _ in ways.most_common(3)]
    return ", ".join(shown) + (f" +{len(ways) - 3}" if len(ways) > 3 else "")
