"""Groups of fields that stand for one vector: x0 to x3, obs_0 to obs_7, the numbers in one object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from replaylake.flows.inferring.fields import Field, list_numbers
from replaylake.flows.inferring.words import WORDS, plain_name

_NUMBERED = re.compile(r"(?P<stem>.*?)[_\-.]?\[?(?P<number>\d+)\]?")
_NUMBERS = ("int", "number")


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the fields of one vector, in order."""

    stem: str  # what their names share, in lower case
    fields: tuple[Field, ...]
    how: str

    def is_called(self, role: str) -> bool:
        """Say whether the group is called as a role is."""
        return self.stem in WORDS[role]


def groups_of(fields: Sequence[Field]) -> list[Group]:
    """Find groups of two numbers or more, the largest first."""
    whole = [one for one in fields if one.kind in _NUMBERS]
    found = [*_numbered(whole), *_in_objects(whole)]
    return sorted(found, key=lambda group: -len(group.fields))


def _numbered(fields: Iterable[Field]) -> list[Group]:
    stems: dict[str, dict[int, Field]] = {}
    for one in fields:
        match = _NUMBERED.fullmatch(one.name)
        if match is not None:
            stems.setdefault(match["stem"], {})[int(match["number"])] = one
    groups = []
    for stem, members in stems.items():
        numbers = sorted(members)
        if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            name = plain_name(stem) if stem else ""
            how = f"common prefix {stem!r}" if stem else "names that are numbers"
            groups.append(Group(name, tuple(members[number] for number in numbers), how))
    return groups


def _in_objects(fields: Iterable[Field]) -> list[Group]:
    above: dict[str, list[Field]] = {}
    for one in fields:
        if one.name.startswith("$") and not _NUMBERED.fullmatch(one.name):
            above.setdefault(re.sub(r"(\.[^.\[]+|\[[^\[]*\])$", "", one.name), []).append(one)
    return [
        Group(plain_name(path), tuple(members), f"the numbers in {path}")
        for path, members in above.items()
        if path != "$" and plain_name(path) in (*WORDS["observation"], *WORDS["next_observation"])
    ]


def dtype_of(fields: Iterable[Field]) -> str:
    """Return float64 where the values are more exact than a float32 can be, else float32."""
    held = [value for one in fields for value in (list_numbers(one) if one.kind == "list" else one.present)]
    numbers = np.array([float(value) for value in held if _reads(value)], np.float64)
    with np.errstate(over="ignore"):
        narrowed = numbers.astype(np.float32).astype(np.float64)
    lossy = (narrowed != numbers) & ~np.isnan(numbers)
    if not lossy.any():
        return "float32"
    exact = sum(len(re.sub(r"\D|[eE].*", "", repr(one)).strip("0")) > 9 for one in numbers[lossy].tolist())
    return "float64" if exact > 0.05 * len(numbers) else "float32"


def _reads(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True
