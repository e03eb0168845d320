"""`replaylake ingest timeline`: events of a topic become steps of an archive."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.console import table
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.signals import stopped_by_signals
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from ingest.timeline import TimelineReport

NAME = "ingest timeline"
_LOG = logging.getLogger("replaylake.cli.timeline")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        ingest_timeline,
        name=NAME,
        settings=("stream", "partitions"),
        example="""
            replaylake ingest timeline shop --topic clicks --mapping shop.yaml --follow
            replaylake ingest timeline shop --topic clicks --mapping shop.yaml --once --close
        """,
    )


def ingest_timeline(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    topic: Annotated[str, typer.Option(metavar="TOPIC", help="The topic of the events.")],
    mapping: Annotated[
        Path, typer.Option(metavar="FILE", help="What becomes of them: YAML with a section `timeline`.")
    ],
    once: Annotated[bool, typer.Option("--once", help="Take what the topic holds now, and leave.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Take what comes, until Ctrl-C or SIGTERM.")
    ] = False,
    close: Annotated[
        bool, typer.Option("--close", help="With --once: nothing more will come, end every session here.")
    ] = False,
) -> None:
    """Build steps from the events of a topic, and send them to the archive's topic.

    Sessions are cut by key, time-out and end events; rewards that come later find their steps. What later
    events may still change is held, and survives a restart. `replaylake ingest NAME` lands the steps.

    An archive that is itself called timeline is reached with `replaylake ingest --once -- timeline`.
    """
    if once == follow:
        raise UsageError(
            f"{'Both' if once else 'Neither'} of --once and --follow were given, and one is expected.",
            hint="Say --once to take what is there, or --follow to go on.",
        )
    if close and follow:
        raise UsageError("--close ends what --follow goes on with.", hint="Say --once --close.")
    from ingest.mapping import RecordMapping
    from replaylake import timeline_follow, timeline_once

    found = RecordMapping.load(mapping)
    with progress("Building steps") as report:
        heard = _told(lambda done: report(done.events, str(done).splitlines()[0]))
        if once:
            done = timeline_once(
                run.lake, name, topic, found, close=close, settings=run.settings, on_progress=heard
            )
        else:
            with stopped_by_signals() as stop:
                run.say("Following the topic; Ctrl-C saves what is held, and stops.")
                done = timeline_follow(
                    run.lake, name, topic, found, stop=stop, settings=run.settings, on_progress=heard
                )
    run.answer(done.to_dict(), _shown(done))
    run.suggest("ingest", name, "--once")


def _told(show: Callable[[TimelineReport], None]) -> Callable[[TimelineReport], None]:
    def hear(done: TimelineReport) -> None:
        _LOG.info("built", extra=done.to_dict())
        show(done)

    return hear


def _shown(done: TimelineReport) -> Table:
    shown = table("", "events", numbers=("events",))
    shown.add_row("taken", f"{done.events:,}")
    for name in ("steps", "rewards", "ends", "folded", "duplicates", "ignored"):
        if getattr(done, name) or name == "steps":
            shown.add_row(f"  {name}", f"{getattr(done, name):,}")
    shown.add_row("  refused", f"{done.refused.total():,}")
    for reason, count in done.refused.most_common():
        shown.add_row(f"    {reason}", f"{count:,}", style="dim")
    shown.add_row("sessions begun", f"{done.sessions:,}")
    if done.hurried:
        shown.add_row("limits met", f"{done.hurried:,}")
    return shown
