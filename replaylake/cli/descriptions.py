"""What the command says of a space and an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replaylake.cli.console import pairs

if TYPE_CHECKING:
    from rich.table import Table

    from lake import Archive, Lake
    from schemas.spaces import Space


@dataclass(frozen=True, slots=True)
class Holding:
    """Hold what an archive is, and what it holds now."""

    archive: Archive
    steps: int
    quarantined: int
    first_date: str | None
    last_date: str | None

    @classmethod
    def of(cls, lake: Lake, archive: Archive) -> Holding:
        """Count the archive's rows."""
        name = archive.name  # letters, digits and _, so it cannot leave its quotes
        counts = f'select count(*), min(date), max(date) from "{name}".steps'  # noqa: S608
        steps, first, last = lake.sql(counts).rows()[0]
        quarantined = lake.sql(f'select count(*) from "{name}".quarantine').rows()[0][0]  # noqa: S608
        return cls(archive, steps, quarantined, _text(first), _text(last))

    @property
    def places(self) -> dict[str, str]:
        """Where the two tables are."""
        return {name: self.archive.store.below(name).url for name in ("steps", "quarantine")}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-ready values."""
        return {
            "name": self.archive.name,
            "steps": self.steps,
            "quarantined": self.quarantined,
            "first_date": self.first_date,
            "last_date": self.last_date,
            "topic": self.archive.spec.topic,
            "tables": self.places,
            "spec": self.archive.spec.to_json(),
            "suite": self.archive.suite,
        }

    def table(self) -> Table:
        """Return it for people, a line for each thing."""
        spec, suite = self.archive.spec, self.archive.suite
        dates = f"{self.first_date} to {self.last_date}" if self.first_date else ""
        return pairs(
            {
                "archive": self.archive.name,
                "environment": spec.environment,
                "observation": space_text(spec.observation),
                "action": space_text(spec.action),
                **{f"extra {name}": space_text(space) for name, space in spec.extras.items()},
                "reward range": spec.reward_range and f"{spec.reward_range[0]:g} to {spec.reward_range[1]:g}",
                "partitioned by": ", ".join(("date", *spec.partition_by)),
                "suite": suite and f"{suite['name']} ({len(suite.get('expectations', []))} rules)",
                "steps": f"{self.steps:,}",
                "quarantined": f"{self.quarantined:,}",
                "dates": dates,
                "topic": spec.topic,
                **{f"{name} table": place for name, place in self.places.items()},
            }
        )


def space_text(space: Space) -> str:
    """Describe a space in a few words."""
    from schemas import spaces

    match space:
        case spaces.Box():
            bounds = "" if isinstance(space.low, tuple) or isinstance(space.high, tuple) else _bounds(space)
            return f"box of {' x '.join(map(str, space.shape)) or 'one'} {space.dtype}{bounds}"
        case spaces.Discrete():
            return f"one of {space.n:,}, from {space.start} to {space.start + space.n - 1}"
        case spaces.MultiDiscrete():
            return f"{len(space.nvec)} whole numbers, of {', '.join(map(str, space.nvec))}"
        case spaces.MultiBinary():
            return f"{' x '.join(map(str, space.shape))} zeros and ones"
        case spaces.Text():
            least = f"{space.min_length:,} to " if space.min_length else "up to "
            return f"text of {least}{space.max_length:,} characters"
        case spaces.Scalar():
            return space.dtype
    return "; ".join(f"{name}: {space_text(part)}" for name, part in space.fields.items())


def _bounds(space: Any) -> str:
    low, high = space.low, space.high
    return "" if (low, high) == (float("-inf"), float("inf")) else f", {low:g} to {high:g}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
