"""The demo from beginning to end: play, publish, ingest, ask, pin, learn, play again, and write it down."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from lake import Archive, Lake, Snapshot
from replaylake.flows.demo.damage import Broken, break_rows, choose_rows, find_damage
from replaylake.flows.demo.figures import CLONED, LEARNED, Figures, Landed, Load, Places, Played, Scores
from replaylake.flows.demo.folder import building, check_folder
from replaylake.flows.demo.learning import ALGORITHMS, Learned, learn, play_behaviour, play_learned
from replaylake.flows.demo.page import write_page
from replaylake.flows.demo.playing import ENV, Row, play
from replaylake.flows.demo.queries import QUERIES, Answer, ask
from replaylake.flows.demo.table import step_table
from replaylake.flows.ingest import ingest_once
from replaylake.flows.publishing import Publisher, publish_lines
from replaylake.settings import Settings
from schemas.errors import UsageError

ARCHIVE = "cartpole"
_STREAM = "embedded:"
_CHUNK = 5_000  # steps between two words of progress
_LIBRARIES = ("replaylake", "gymnasium", "torch", "deltalake", "duckdb", "polars", "pyarrow")

Part = Played | Landed | tuple[Answer, ...] | Snapshot | Scores | Figures
Report = Callable[[float, str], None]


class Audience(Protocol):
    """Whoever is told how the demo goes."""

    def watch(self, what: str, total: float | None = None) -> AbstractContextManager[Report]:
        """Show that something lasts; what is given takes how much is done, and a few words."""

    def show(self, part: Part) -> None:
        """Show what was found, as soon as it was."""


@dataclass(frozen=True)
class _Stages:
    """Take the time of each stage."""

    audience: Audience
    seconds: dict[str, float]

    @contextmanager
    def stage(self, name: str, what: str, total: float | None = None) -> Iterator[Report]:
        begin = time.perf_counter()
        with self.audience.watch(what, total) as report:
            yield report
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


@dataclass(frozen=True)
class _Trained:
    snapshot: Snapshot
    learned: dict[str, Learned]
    scores: Scores


def run_demo(
    folder: Path,
    *,
    seed: int = 0,
    load: Load | None = None,
    audience: Audience,
    program: str = "replaylake",
    today: datetime | None = None,
) -> Figures:
    """Run the demo, and leave its lake, its policy and its report in the folder.

    The folder is made whole or not at all; an earlier demo's is replaced. Settings from outside count for
    nothing. Raise UsageError for a folder that is something else, or a seed below 0. `program` is how the
    command is called in what is said to try next. Whether all went well, `faults` of the figures says.
    """
    check_folder(folder)
    if seed < 0:
        raise UsageError(f"The seed {seed} is not possible.", hint="Use a whole number from 0.")
    load = load or Load()
    midnight = today or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    stages = _Stages(audience, {})
    with building(folder) as built:
        lake = Lake(built / "lake")
        played = _play_and_publish(lake, load, seed, midnight, stages)
        landed = _ingest(lake, played, stages)
        answers = _ask(lake, stages)
        trained = _train_and_compare(lake.archive(ARCHIVE), load, seed, stages)
        trained.learned[LEARNED].policy.save(built / "policy")
        figures = Figures(
            seed,
            load,
            _places(folder),
            played[0],
            landed,
            answers,
            trained.snapshot,
            trained.learned,
            trained.scores,
            stages.seconds,
            {"python": _python(), **{name: version(name) for name in _LIBRARIES}},
            _next_commands(_places(folder), trained.snapshot.id, seed, program),
        )
        with stages.stage("report", "Writing the report"):
            write_page(built / "report.html", figures)
    audience.show(figures)
    return figures


def _play_and_publish(
    lake: Lake, load: Load, seed: int, midnight: datetime, stages: _Stages
) -> tuple[Played, list[Broken]]:
    with stages.stage("play", "Playing", load.steps) as report:
        rows = _played(load.steps, seed, report)
        table = step_table(rows, seed, midnight)
    with stages.stage("publish", "Publishing"):
        archive = lake.create(ARCHIVE, env=ENV)
        chosen = choose_rows(len(rows), seed)
        broken = break_rows(table.take(pa.array(chosen)))
        keep = np.ones(len(rows), np.bool_)
        keep[chosen] = False
        good = table.filter(pa.array(keep))
        settings = _settings(lake)
        with Publisher(archive, stream=_STREAM, settings=settings, run="") as out:
            out.publish_table(good)
        publish_lines(archive, [one.line for one in broken], stream=_STREAM, settings=settings)
    episodes = rows[-1].episode + 1
    played = Played(
        ENV, len(rows), episodes, sum(row.reward for row in rows) / episodes, good.num_rows, len(broken)
    )
    stages.audience.show(played)
    return played, broken


def _played(steps: int, seed: int, report: Report) -> list[Row]:
    rows: list[Row] = []
    for row in play(steps, seed):
        rows.append(row)
        if len(rows) % _CHUNK == 0:
            report(len(rows), f"{row.episode + 1:,} episodes")
    return rows


def _ingest(lake: Lake, played: tuple[Played, list[Broken]], stages: _Stages) -> Landed:
    with stages.stage("ingest", "Ingesting") as report:
        done = ingest_once(
            lake,
            stream=_STREAM,
            settings=_settings(lake),
            on_progress=lambda so_far: report(so_far.accepted, f"{so_far.accepted:,} accepted"),
        )
        landed = Landed(done, tuple(find_damage(lake, played[1])), played[0].good + played[0].broken)
    stages.audience.show(landed)
    return landed


def _ask(lake: Lake, stages: _Stages) -> tuple[Answer, ...]:
    with stages.stage("query", "Asking"):
        answers = tuple(ask(lake, query) for query in QUERIES)
    stages.audience.show(answers)
    return answers


def _train_and_compare(archive: Archive, load: Load, seed: int, stages: _Stages) -> _Trained:
    with stages.stage("snapshot", "Pinning a snapshot"):
        snapshot = archive.snapshot()
    stages.audience.show(snapshot)
    learned = {}
    for algorithm in ALGORITHMS:
        with stages.stage(f"train {algorithm}", f"Learning {algorithm}", 1) as report:
            learned[algorithm] = learn(snapshot, algorithm, seed, load.updates, report)
    with stages.stage("evaluate", "Playing what was learned"):
        scores = Scores(
            play_learned(learned[LEARNED].policy, load.episodes, seed),
            play_learned(learned[CLONED].policy, load.episodes, seed),
            play_behaviour(load.episodes, seed),
        )
    stages.audience.show(scores)
    return _Trained(snapshot, learned, scores)


def _settings(lake: Lake) -> Settings:
    """Return the defaults alone: a demo does not depend on where and by whom it is run."""
    return Settings.model_construct(lake=str(lake.folder))


def _places(folder: Path) -> Places:
    return Places(*(str(folder / part) for part in ("", "lake", "policy", "report.html")))


def _next_commands(places: Places, snapshot: str, seed: int, program: str) -> list[tuple[str, str]]:
    question = (
        "select policy_version, count(*) as steps, avg(action_probability) as propensity "
        "from cartpole.steps group by policy_version"
    )
    refused = "select reasons, detail, raw from cartpole.quarantine limit 10"
    lake = ["--lake", places.lake]
    evaluation = ["evaluate", places.policy, "--env", ENV, "--episodes", "100", "--seed", str(seed)]
    return [
        (what, shlex.join([program, *words]))
        for what, words in (
            ("Ask the lake something else", ["query", question, *lake]),
            ("Look at what was refused", ["query", refused, *lake]),
            ("Learn from the same snapshot without the conservative part", _train(snapshot, seed, lake)),
            ("Play the learned policy for longer", evaluation),
        )
    ]


def _train(snapshot: str, seed: int, lake: list[str]) -> list[str]:
    return ["train", "--snapshot", snapshot, "--algorithm", "dqn", "--seed", str(seed), *lake]


def _python() -> str:
    import platform

    return platform.python_version()
