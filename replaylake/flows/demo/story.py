"""The demo from beginning to end: play, publish, ingest, ask, pin, learn, play again, and write it down."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from lake import Lake, Snapshot
from replaylake.flows.demo.damage import Broken, break_rows, choose_rows, find_damage
from replaylake.flows.demo.figures import CLONED, FULL, LEARNED, Figures, Landed, Load, Played, Scores
from replaylake.flows.demo.folder import building, check_folder
from replaylake.flows.demo.learning import ALGORITHMS, Learned, learn, play_behaviour, play_learned
from replaylake.flows.demo.page import write_page
from replaylake.flows.demo.playing import ENV, Row, play
from replaylake.flows.demo.pointers import Places, next_commands
from replaylake.flows.demo.queries import QUERIES, Answer, ask
from replaylake.flows.demo.stages import Audience, Stages
from replaylake.flows.demo.table import step_table
from replaylake.flows.ingest import ingest_once
from replaylake.flows.publishing import Publisher, publish_lines
from replaylake.settings import Settings
from schemas.errors import UsageError

_ARCHIVE = "cartpole"
_STREAM = "embedded:"
_CHUNK = 5_000  # steps between two words of progress
_LIBRARIES = ("replaylake", "gymnasium", "torch", "deltalake", "duckdb", "polars", "pyarrow")


@dataclass(frozen=True)
class _Demo:
    """One run: where it is built, and what it is made of."""

    lake: Lake
    load: Load
    seed: int
    today: datetime
    stages: Stages

    @property
    def settings(self) -> Settings:
        """The defaults alone: a demo does not depend on where and by whom it is run."""
        return Settings.model_construct(lake=self.lake.url)


def run_demo(
    folder: Path,
    *,
    audience: Audience,
    seed: int = 0,
    load: Load = FULL,
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
    midnight = today or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with building(folder) as built:
        demo = _Demo(Lake(built / "lake"), load, seed, midnight, Stages(audience))
        figures = _tell(demo, Places.of(built), Places.of(folder), program)
    audience.show(figures)
    return figures


def _tell(demo: _Demo, built: Places, places: Places, program: str) -> Figures:
    with demo.stages.stage("load", "Loading Torch"):
        import training  # noqa: F401 - here it lasts, and later stages are not to be charged with it
    rows, table = _play(demo)
    played, broken = _publish(demo, rows, table)
    landed = _ingest(demo, broken, played)
    answers = _ask(demo)
    snapshot, learned = _learn(demo)
    scores = _compare(demo, learned)
    learned[LEARNED].policy.save(built.policy)
    figures = Figures(
        seed=demo.seed,
        load=demo.load,
        places=places,
        played=played,
        landed=landed,
        answers=answers,
        snapshot=snapshot,
        learned=learned,
        scores=scores,
        timings=demo.stages.seconds,
        versions={"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        next_commands=next_commands(places, snapshot.id, demo.seed, program),
    )
    with demo.stages.stage("report", "Writing the report"):
        write_page(Path(built.report), figures)
    return figures


def _play(demo: _Demo) -> tuple[list[Row], pa.Table]:
    rows: list[Row] = []
    with demo.stages.stage("play", "Playing", demo.load.steps) as report:
        for row in play(demo.load.steps, demo.seed):
            rows.append(row)
            if len(rows) % _CHUNK == 0:
                report(len(rows), f"{row.episode + 1:,} episodes")
        return rows, step_table(rows, demo.seed, demo.today)


def _publish(demo: _Demo, rows: list[Row], table: pa.Table) -> tuple[Played, list[Broken]]:
    """Send the good rows as tables of Arrow, and the broken ones as lines, as an outside source would."""
    with demo.stages.stage("publish", "Publishing"):
        archive = demo.lake.create(_ARCHIVE, env=ENV)
        chosen = choose_rows(len(rows), demo.seed)
        broken = break_rows(table.take(pa.array(chosen)))
        keep = np.ones(len(rows), np.bool_)
        keep[chosen] = False
        good = table.filter(pa.array(keep))
        with Publisher(archive, stream=_STREAM, settings=demo.settings, run="") as out:
            out.publish_table(good)
        lines = [one.line for one in broken]
        publish_lines(archive, lines, stream=_STREAM, settings=demo.settings)
    episodes = rows[-1].episode + 1
    mean = sum(row.reward for row in rows) / episodes
    played = Played(ENV, len(rows), episodes, mean, good.num_rows, len(broken))
    demo.stages.show(played)
    return played, broken


def _ingest(demo: _Demo, broken: list[Broken], played: Played) -> Landed:
    with demo.stages.stage("ingest", "Ingesting") as report:
        done = ingest_once(
            demo.lake,
            stream=_STREAM,
            settings=demo.settings,
            on_progress=lambda so_far: report(so_far.accepted, f"{so_far.accepted:,} accepted"),
        )
        landed = Landed(done, tuple(find_damage(demo.lake, broken)), played.good + played.broken)
    demo.stages.show(landed)
    return landed


def _ask(demo: _Demo) -> tuple[Answer, ...]:
    with demo.stages.stage("query", "Asking"):
        answers = tuple(ask(demo.lake, query) for query in QUERIES)
    demo.stages.show(answers)
    return answers


def _learn(demo: _Demo) -> tuple[Snapshot, dict[str, Learned]]:
    with demo.stages.stage("snapshot", "Pinning a snapshot"):
        snapshot = demo.lake.archive(_ARCHIVE).snapshot()
    demo.stages.show(snapshot)
    learned = {}
    for algorithm in ALGORITHMS:
        with demo.stages.stage(f"train {algorithm}", f"Learning {algorithm}", 1) as report:
            learned[algorithm] = learn(snapshot, algorithm, demo.seed, demo.load.updates, report)
    return snapshot, learned


def _compare(demo: _Demo, learned: dict[str, Learned]) -> Scores:
    episodes, seed = demo.load.episodes, demo.seed
    with demo.stages.stage("evaluate", "Playing what was learned"):
        scores = Scores(
            cql=play_learned(learned[LEARNED].policy, episodes, seed),
            bc=play_learned(learned[CLONED].policy, episodes, seed),
            behaviour=play_behaviour(episodes, seed),
        )
    demo.stages.show(scores)
    return scores
