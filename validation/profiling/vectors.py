"""Rules for vectors: where each element may be, and how far it may go in a step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Space, Tuple
from validation.expectation import Expectation
from validation.profiling.figures import Figures
from validation.profiling.margins import OPEN, Range, bounds_of, within_space
from validation.profiling.profile import Profile
from validation.profiling.wording import expectation


class _Vector(NamedTuple):
    """Name a vector: a column, or a field of one."""

    column: str
    field: str | None
    space: Box

    @property
    def stem(self) -> str:
        """What its leaves begin with."""
        return self.column if self.field is None else f"{self.column}.{self.field}"

    @property
    def named(self) -> dict[str, Any]:
        """The kwargs that name it."""
        return {"column": self.column} | ({} if self.field is None else {"field": self.field})


def vector_rules(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    """Propose bounds for the elements of observations, continuous actions and extras, and for jumps."""
    for vector in _vectors("observation", spec.observation):
        both = _together(vector.stem, profile.numbers)
        for column in ("observation", "next_observation"):
            yield from _elements(vector._replace(column=column), both, profile)
        yield from _jumps(vector, profile)
    for column, space in (("action", spec.action), *spec.extras.items()):
        for vector in _vectors(column, space):
            yield from _elements(vector, _own(vector.stem, profile.numbers), profile)


def _elements(
    vector: _Vector, figures: Mapping[str, tuple[Figures, ...]], profile: Profile
) -> Iterator[Expectation]:
    if not figures:
        return
    if vector.space.size != len(figures):  # told by summaries
        yield from _wide(vector, figures, profile)
        return
    bounds, says_more = [], False
    for element, held in enumerate(figures.values()):
        ranges = [bounds_of(one, profile.episodes) for one in held]
        cut, more = within_space(_union(ranges), vector.space, element)
        bounds.append(cut)
        says_more |= more
    if not says_more:
        return
    seen = {
        leaf: [_least(held), _greatest(held)] for leaf, held in figures.items() if _least(held) is not None
    }
    evidence = f"{vector.stem} stayed within bounds in {profile.rows} rows of {profile.episodes} episodes."
    yield expectation(
        "expect_column_elements_to_be_between", evidence, seen, **vector.named, **_listed(bounds)
    )


def _wide(
    vector: _Vector, figures: Mapping[str, tuple[Figures, ...]], profile: Profile
) -> Iterator[Expectation]:
    lowest, highest = (
        next((held for leaf, held in figures.items() if leaf.endswith(end)), ()) for end in (".min", ".max")
    )
    low = _union([bounds_of(one, profile.episodes) for one in lowest]).low
    high = _union([bounds_of(one, profile.episodes) for one in highest]).high
    if low is None or high is None:
        return
    bounds, says_more = within_space(Range(low, high), vector.space, 0)
    if says_more and not isinstance(vector.space.low, tuple) and not isinstance(vector.space.high, tuple):
        seen = {"min": _least(lowest), "max": _greatest(highest)}
        evidence = f"{vector.stem} was {seen['min']:.6g} to {seen['max']:.6g} in {profile.rows} rows."
        yield expectation(
            "expect_column_elements_to_be_between",
            evidence,
            seen,
            **vector.named,
            min_value=bounds.low,
            max_value=bounds.high,
        )


def _jumps(vector: _Vector, profile: Profile) -> Iterator[Expectation]:
    figures = _own(vector.stem, profile.jumps)
    if not figures or len(figures) != vector.space.size:
        return
    most = [bounds_of(held[0], profile.episodes).high for held in figures.values()]
    if all(bound is None for bound in most):
        return
    seen = {leaf: held[0].greatest for leaf, held in figures.items()}
    count = max(held[0].finite for held in figures.values())
    evidence = f"{count} steps of {profile.episodes} episodes went no farther than `seen`."
    for type_ in ("expect_observation_jump_to_be_between", "expect_sequence_jump_to_be_between"):
        yield expectation(type_, evidence, seen, **vector.named, max_values=most)


def _vectors(column: str, space: Space, path: tuple[str, ...] = ()) -> Iterator[_Vector]:
    if isinstance(space, Dict | Tuple):
        for name, inner in space.fields.items():
            yield from _vectors(column, inner, (*path, name))
    elif isinstance(space, Box) and space.dtype != "bool":
        yield _Vector(column, ".".join(path) or None, space)


def _own(stem: str, figures: Mapping[str, Figures]) -> dict[str, tuple[Figures, ...]]:
    """Find the leaves of a vector: its elements, or its summaries."""
    wanted = re.compile(re.escape(stem) + r"(\[\d+\]|\.(mean|std|min|max))")
    return {leaf: (held,) for leaf, held in figures.items() if wanted.fullmatch(leaf)}


def _together(stem: str, figures: Mapping[str, Figures]) -> dict[str, tuple[Figures, ...]]:
    """Put observations and next observations together: an end is seen in the second only."""
    then = _own(f"next_{stem}", figures)
    return {leaf: (*held, *then.get(f"next_{leaf}", ())) for leaf, held in _own(stem, figures).items()}


def _union(ranges: list[Range]) -> Range:
    """Return what holds all ranges; those of too few values say nothing."""
    known = [one for one in ranges if one != OPEN]
    lows = [one.low for one in known if one.low is not None]
    highs = [one.high for one in known if one.high is not None]
    return Range(min(lows, default=None), max(highs, default=None))


def _listed(bounds: list[Range]) -> dict[str, Any]:
    held = {"min_values": [one.low for one in bounds], "max_values": [one.high for one in bounds]}
    return {name: values for name, values in held.items() if any(value is not None for value in values)}


def _least(held: tuple[Figures, ...]) -> float | None:
    return min((one.least for one in held if one.least is not None), default=None)


def _greatest(held: tuple[Figures, ...]) -> float | None:
    return max((one.greatest for one in held if one.greatest is not None), default=None)
