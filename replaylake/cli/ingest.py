"""`replaylake ingest`: from the stream, through the gate, into the lake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
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
    from replaylake.flows.ingest import IngestOptions

_LOG = logging.getLogger("replaylake.cli.ingest")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        ingest,
        settings=(
            *("stream", "partitions", "flush_rows", "flush_bytes", "flush_seconds"),
            *("metrics_port", "metrics_host"),
        ),
        example="""
            replaylake ingest --once
            replaylake ingest cartpole --follow --flush-seconds 1 --metrics-port 9300
            replaylake ingest fresh --once --from 2026-03-01T00:00:00Z --topic replaylake.cartpole
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
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="OFFSET|TIME", help="Where a fresh archive begins to read."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Read this topic instead of the archive's own.")
    ] = None,
) -> None:
    """Land steps from the stream: what passes the gate in the lake, what fails in quarantine.

    Every step lands exactly once, however often and by however many workers this is run. A worker that is
    asked to stop commits what it holds first. With --from a fresh archive begins at an offset of every
    partition, or at a time such as 2026-03-01T00:00:00Z: to ingest what an older one has, give its --topic.
    """
    if once == follow:
        raise UsageError(
            f"{'Both' if once else 'Neither'} of --once and --follow were given, and one is expected.",
            hint="Say --once to land what is there, or --follow to go on.",
        )
    from replaylake import ingest_follow, ingest_once

    archives = tuple(names or ())
    options: IngestOptions = {"settings": run.settings, "topic": topic, "start": _place(start)}
    with progress("Ingesting") as report, _metrics(run, options):
        options["on_progress"] = _told(lambda done: report(done.accepted, str(done).splitlines()[0]))
        if once:
            done = ingest_once(run.lake, *archives, **options)
        else:
            with stopped_by_signals() as stop:
                run.say("Following the stream; Ctrl-C commits what is held, and stops.")
                done = ingest_follow(run.lake, *archives, stop=stop, **options)
    run.answer(done.to_dict(), _shown(done))
    if done.quarantined:
        name = archives[0] if archives else run.lake.names()[0]
        run.suggest("query", f"select reasons, detail from {name}.quarantine limit 10")  # noqa: S608


def _place(text: str | None) -> int | datetime | None:
    """Read an offset or a time."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UsageError(
            f"--from takes an offset or a time with its zone, not {text!r}.",
            hint="Write 1200 or 2026-03-01T00:00:00Z.",
        )
    return time


@contextmanager
def _metrics(run: Run, options: IngestOptions) -> Iterator[None]:
    """Serve metrics where a port is set."""
    if run.settings.metrics_port is None:
        yield
        return
    from ingest.worker.metrics import IngestMetrics

    options["metrics"] = metrics = IngestMetrics()
    with metrics.serve(run.settings.metrics_port, run.settings.metrics_host) as port:
        run.say(f"Metrics are at http://{run.settings.metrics_host}:{port}/metrics.")
        yield


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
    if done.erased:
        shown.add_row("erased before", f"{done.erased:,}")
    return shown
