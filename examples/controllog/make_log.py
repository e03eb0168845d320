"""Write history.csv, what a control room noted of three heated tanks; the seed is fixed.

Once a minute: the temperature, the level and the inflow of a tank, the set-point that the operator then
chose, and what the minute after it cost: how far the temperature was off, and the energy. Nobody can try
anything out, there are only these notes; and some minutes are missing, some values wrong, and a fault ends
a run.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

SEED = 11
WANTED = 60.0  # degrees
SET_POINTS = (50, 60, 70)
TANKS, DAYS, MINUTES = 3, 5, 240  # of one shift, once a day
START = datetime(2025, 3, 3, 6)  # on the clock of the control room, in Berlin
HEADER = ("time", "tank", "temperature", "level", "inflow", "set_point", "off_by", "kwh", "code", "operator")
FAULTS = ("E07", "E12")
HOT, COLD = 65.0, 55.0  # what trips the tank


@dataclass
class Note:
    """Hold one line: what was read, what was done, and what came of it."""

    at: datetime
    tank: str
    temperature: float
    level: float
    inflow: float
    operator: str
    set_point: int | None = None  # none where the tank has tripped
    off_by: float = 0.0
    kwh: float = 0.0
    code: str = ""
    fault: str = ""  # of the note: lost, glitch or text


@dataclass
class Tank:
    """Hold the state of a tank, and how it moves: nobody who learns from the notes can see this."""

    chance: np.random.Generator
    temperature: float = WANTED
    level: float = 5.0
    inflow: float = 10.0

    @property
    def has_tripped(self) -> bool:
        """Whether it is too hot or too cold to go on."""
        return not COLD <= self.temperature <= HOT

    def heat(self, set_point: int) -> tuple[float, float]:
        """Let a minute pass; return how far off the temperature was then, and the energy."""
        self.temperature += 0.12 * (set_point - WANTED) - 0.08 * (self.inflow - 10.0) + self._noise(0.35)
        self.inflow += 0.2 * (10.0 - self.inflow) + self._noise(1.5)
        self.level += 0.1 * (5.0 - self.level) + self._noise(0.05)
        return round(abs(self.temperature - WANTED), 3), round(0.1 * (set_point - 45), 2)

    def _noise(self, scale: float) -> float:
        return float(self.chance.normal(0, scale))


def usual_set_point(temperature: float, inflow: float) -> int:
    """Return what the careful operator does: heat against cold, and against cold water that comes in."""
    need = (WANTED - temperature) + 0.5 * (inflow - 10.0)
    return SET_POINTS[2] if need > 1.5 else SET_POINTS[0] if need < -1.5 else SET_POINTS[1]


def make_log(seed: int = SEED) -> list[Note]:
    """Let the tanks run, a shift a day each."""
    chance = np.random.default_rng(seed)
    notes = [
        note
        for day in range(DAYS)
        for tank in range(TANKS)
        for note in _shift(chance, f"T{tank + 1}", START + timedelta(days=day), (day + tank) % 2 == 0)
    ]
    _spoil(chance, notes)
    return sorted(notes, key=lambda note: (note.at, note.tank))


def _shift(chance: np.random.Generator, name: str, at: datetime, is_careful: bool) -> Iterator[Note]:
    """Yield the notes of a shift: of a careful operator, or of one who does as he likes."""
    operator = "ada" if is_careful else "bob"
    end = at + timedelta(minutes=MINUTES)
    tank = Tank(chance)
    while at < end:
        read = (round(tank.temperature, 2), round(tank.level, 2), round(tank.inflow, 2))
        note = Note(at, name, *read, operator)
        if tank.has_tripped:
            note.code = FAULTS[tank.temperature < COLD]
            yield note
            at += timedelta(hours=1)  # until somebody has been there
            tank = Tank(chance)
            continue
        note.set_point = usual_set_point(note.temperature, note.inflow)
        if chance.random() < (0.05 if is_careful else 0.6):
            note.set_point = int(chance.choice(SET_POINTS))
        note.off_by, note.kwh = tank.heat(note.set_point)
        yield note
        at += timedelta(minutes=1)


def _spoil(chance: np.random.Generator, notes: list[Note]) -> None:
    """Lose some minutes, and break some values, far from the ends of a run and from one another."""
    for start in range(40, len(notes) - 40, 80):
        near = notes[start - 20 : start + 30]
        if any(
            note.code or note.tank != near[0].tank or note.at.date() != near[0].at.date() for note in near
        ):
            continue
        fault = str(chance.choice(["lost", "long", "glitch", "text"]))
        for note in notes[start : start + {"lost": 6, "long": 25}.get(fault, 1)]:
            note.fault = "lost" if fault == "long" else fault


def rows(notes: list[Note]) -> Iterator[list[Any]]:
    """Yield the lines of the table."""
    for note in notes:
        if note.fault == "lost":
            continue
        temperature = {"glitch": "850.0", "text": "n/a"}.get(note.fault, note.temperature)
        done = ["", "", ""] if note.set_point is None else [note.set_point, note.off_by, note.kwh]
        yield [
            f"{note.at:%d.%m.%Y %H:%M}", note.tank, temperature, note.level, note.inflow, *done, note.code,
            note.operator,
        ]  # fmt: skip


def main() -> None:
    """Write the log."""
    with Path("history.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter=";", lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(rows(make_log()))


if __name__ == "__main__":
    main()
