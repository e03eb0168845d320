"""Splits by a hash: an episode is in one part for ever, with all its agents, however the archive grows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

PARTS = ("train", "validation", "test")
_GRAINS = 1_000_000_000  # the hash falls on one of them: shares are told apart to nine digits
_SLACK = 1e-6
# Slashes in an id can put two episodes on one number, which then are in one part: nothing is wrong with that.
_EPISODE = "concat('{seed}/episode/', source, '/', episode_id)"
_ROW = "concat('{seed}/row/', source, '/', agent_id, '/', step, '/', event_id)"


@dataclass(frozen=True, slots=True)
class Part:
    """Name one part of a split; the shares are of a thousand million."""

    of: str  # the snapshot that was split
    name: str
    shares: tuple[int, ...]
    seed: int

    @property
    def condition(self) -> str:
        """The SQL condition by which an episode, with all its agents, is in the part.

        It takes the lower half of the MD5 of a text, which no version of the engine changes.
        """
        return self._holds(_EPISODE)

    @property
    def row_condition(self) -> str:
        """The SQL condition by which a row of no episode is in the part."""
        return f"(episode_id is null and {self._holds(_ROW)})"

    def _holds(self, text: str) -> str:
        number = PARTS.index(self.name)
        start = sum(self.shares[:number])
        place = f"md5_number_lower({text.format(seed=self.seed)}) % {_GRAINS}"
        return f"({place} between {start} and {start + self.shares[number] - 1})"

    @property
    def text(self) -> str:
        """Say it in a few words."""
        return (
            f"{self.name}, {self.shares[PARTS.index(self.name)] / _GRAINS:.9g} of {self.of}, seed {self.seed}"
        )


def parts(of: str, train: float, validation: float, test: float, seed: int) -> list[Part]:
    """Return the parts whose share is not 0; raise UsageError for shares that are no whole."""
    given = (train, validation, test)
    if not all(0 <= share <= 1 for share in given) or abs(sum(given) - 1) > _SLACK:
        raise UsageError(
            f"The shares {train:g}, {validation:g} and {test:g} do not add up to 1.",
            hint="Give three numbers from 0 to 1, such as 0.8, 0.1 and 0.1.",
        )
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"The seed {seed!r} is not a whole number.", hint="Give one, such as 0.")
    first, second = round(train * _GRAINS), round((train + validation) * _GRAINS)
    # What rounding leaves over goes to the last part that is there at all.
    if not test:
        second = _GRAINS
        first = first if validation else _GRAINS
    shares = (first, second - first, _GRAINS - second)
    return [Part(of, name, shares, seed) for name, share in zip(PARTS, shares, strict=True) if share]
