"""`replaylake ingest`: from the stream, through the gate, into the lake."""

from __future__ import annotations

import logging
from collections.abc import Callable
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

    from ingest import IngestReport

_LOG = logging.getLogger("replaylake.cli.ingest")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        ingest,
        settings=("stream", "partitions", "flush_rows", "flush_bytes", "flush_seconds"),
        example="""
            replaylake ingest --once
            replaylake ingest cartpole --follow --flush-seconds 1
        """,
    )


def ingest(
    run: Run,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="The archives; all of them without a name.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Land what the stream holds now, and leave.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Land what comes, until Ctrl-C or SIGTERM.")
    ] = False,
) -> None:
    """Land steps from the stream: what passes the gate in the lake, what fails in quarantine.

    Every step lands exactly once, however often and by however many workers this is run. A worker that is
    asked to stop commits what it holds first.
    """
    if once == follow:
        raise UsageError(
            f"{'Both' if once else 'Neither'} of --once and --follow were given, and one is expected.",
            hint="Say --once to land what is there, or --follow to go on.",
        )
    from replaylake import ingest_follow, ingest_once

    archives = tuple(names or ())
    with progress("Ingesting") as report:
        heard = _told(lambda done: report(done.accepted, str(done).splitlines()[0]))
        if once:
            done = ingest_once(run.lake, *archives, settings=run.settings, on_progress=heard)
        else:
            with stopped_by_signals() as stop:
                run.say("Following the stream; Ctrl-C commits what is held, and stops.")
                done = ingest_follow(run.lake, *archives, stop=stop, settings=run.settings, on_progress=heard)
    run.answer(done.to_dict(), _shown(done))
    if done.quarantined:
        name = archives[0] if archives else run.lake.names()[0]
        run.suggest("query", f"select reasons, detail from {name}.quarantine limit 10")  # noqa: S608


def _told(show: Callable[[IngestReport], None]) -> Callable[[IngestReport], None]:
    def hear(done: IngestReport) -> None:
        _LOG.info("landed", extra=done.to_dict())
        show(done)

    return hear


def _shown(done: IngestReport) -> Table:
    shown = table("", "rows", numbers=("rows",))
    shown.add_row("accepted", f"{done.accepted:,}")
    if done.flagged:
        shown.add_row("  flagged", f"{done.flagged:,}", style="dim")
    shown.add_row("quarantined", f"{done.quarantined:,}")
    for reason, count in done.reasons.most_common():
        shown.add_row(f"  {reason}", f"{count:,}", style="dim")
    shown.add_row("duplicates", f"{done.duplicates:,}")
    return shown
