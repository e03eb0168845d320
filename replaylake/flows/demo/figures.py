"""What the demo found: its parts, in the order in which they become known, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from replaylake.flows.demo.damage import Damage
from replaylake.flows.demo.pointers import Places
from replaylake.flows.demo.queries import Answer

if TYPE_CHECKING:
    from ingest import IngestReport
    from lake import Snapshot
    from replaylake.flows.demo.learning import Learned
    from training import Evaluation

LEARNED, CLONED, BEHAVIOUR = "cql", "bc", "behaviour"


@dataclass(frozen=True)
class Goal:
    """What the learned policy has to reach, and by how much it has to beat both others."""

    score: float = 450.0
    margin: float = 200.0


@dataclass(frozen=True)
class Load:
    """How much the demo does; the command does all of it, and tests do less."""

    steps: int = 50_000
    updates: int | None = None  # the algorithms' own
    episodes: int = 20
    goal: Goal = Goal()


FULL: Final = Load()


@dataclass(frozen=True)
class Played:
    """What was played, and published."""

    env: str
    steps: int
    episodes: int
    mean_return: float
    good: int
    broken: int


@dataclass(frozen=True)
class Landed:
    """What became of it: the counts of the worker, and every kind of damage beside its reason."""

    report: IngestReport
    damage: tuple[Damage, ...]
    published: int

    @property
    def matched(self) -> bool:
        """Whether every row is where it belongs, and each kind of damage has a reason of its own."""
        reasons = {reason for damage in self.damage for reason in damage.reasons}
        return (
            self.report.accepted + self.report.quarantined == self.published
            and self.report.quarantined == sum(damage.published for damage in self.damage)
            and all(damage.matched for damage in self.damage)
            and len(reasons) == len(self.damage)
        )


@dataclass(frozen=True)
class Scores:
    """What the policies returned, each over as many episodes from the same starts."""

    cql: Evaluation
    bc: Evaluation
    behaviour: Evaluation

    def by_name(self) -> dict[str, Evaluation]:
        """Return them, the learned one first."""
        return {LEARNED: self.cql, CLONED: self.bc, BEHAVIOUR: self.behaviour}

    @property
    def lead(self) -> float:
        """By how much the learned policy beats the better one of the others."""
        return self.cql.mean - max(self.bc.mean, self.behaviour.mean)


@dataclass(frozen=True)
class Figures:
    """All that the demo found."""

    seed: int
    load: Load
    places: Places
    played: Played
    landed: Landed
    answers: tuple[Answer, ...]
    snapshot: Snapshot
    learned: Mapping[str, Learned]
    scores: Scores
    timings: Mapping[str, float]  # seconds, by stage
    versions: Mapping[str, str]
    next_commands: Sequence[tuple[str, str]]  # what it does, and the command

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return sum(self.timings.values())

    @property
    def faults(self) -> list[str]:
        """What did not go as it should; nothing where the demo shows what it is to show."""
        goal, scores, faults = self.load.goal, self.scores, []
        if not self.landed.matched:
            faults.append(
                "what is in quarantine is not what was broken: see the kinds of damage and their reasons"
            )
        if scores.cql.mean < goal.score or scores.lead < goal.margin:
            faults.append(
                f"the demo's policy did not learn well this time: score {scores.cql.mean:.1f}, behaviour "
                f"cloning {scores.bc.mean:.1f}, behaviour {scores.behaviour.mean:.1f}; the goal is "
                f"{goal.score:g}, and {goal.margin:g} above both"
            )
        return faults

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-ready values."""
        report = self.landed.report.to_dict()
        damage = [{**asdict(one), "found": one.found, "matched": one.matched} for one in self.landed.damage]
        return {
            "ok": not self.faults,
            "faults": self.faults,
            "seed": self.seed,
            "goal": asdict(self.load.goal),
            "scores": {name: found.mean for name, found in self.scores.by_name().items()},
            "lead": self.scores.lead,
            "played": asdict(self.played),
            "ingested": {**report, "matched": self.landed.matched},
            "damage": damage,
            "queries": [answer.to_dict() for answer in self.answers],
            "snapshot": self.snapshot.to_json(),
            "learned": {name: found.to_dict() for name, found in self.learned.items()},
            "evaluations": {name: found.to_dict() for name, found in self.scores.by_name().items()},
            "timings": dict(self.timings),
            "seconds": self.seconds,
            "paths": asdict(self.places),
            "versions": dict(self.versions),
            "next": [command for _, command in self.next_commands],
        }
