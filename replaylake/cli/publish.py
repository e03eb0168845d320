"""`replaylake publish`: files of JSON into an archive's stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import typer

from replaylake.cli.progress import Report, progress
from replaylake.cli.run import Run
from replaylake.cli.signals import interrupt_waits
from replaylake.cli.sources import Source, check_sources
from replaylake.cli.verbs import add_verb

_REPORT_EVERY = 1000  # records


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        publish,
        settings=("stream", "partitions"),
        example="""
            replaylake publish cartpole monday.ndjson tuesday.json
            zcat steps.ndjson.gz | replaylake publish cartpole -
        """,
    )


def publish(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="NDJSON or JSON; - is standard input.")],
    form: Annotated[
        Literal["auto", "ndjson", "json"],
        typer.Option("--format", help="What the files are; auto looks at their names and first lines."),
    ] = "auto",
) -> None:
    """Send the steps of files to an archive: the gate judges them when they are ingested.

    NDJSON, an object a line, is sent line by line, whatever its size. JSON is one object, several, or an
    array of them, over as many lines as you like; such a file is read whole, and sent if all of it is JSON.
    Publishing a file twice adds nothing, as long as its records name their episodes.
    """
    from replaylake import publish_lines

    interrupt_waits()
    archive = run.lake.archive(name)
    sources = check_sources(files, form)
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    with progress("Publishing", total) as report:
        sent = publish_lines(archive, _reported(sources, report), settings=run.settings)
    document = {"archive": name, "topic": archive.spec.topic, "files": files, "records": sent}
    run.answer(document, f"Published {sent:,} records to {archive.spec.topic}.")
    run.suggest("ingest", name, "--once")


def _reported(sources: Iterable[Source], report: Report) -> Iterator[bytes]:
    done = records = 0
    for source in sources:
        for record in source.records():
            records += 1
            done += len(record)
            if records % _REPORT_EVERY == 0:
                report(done, f"{records:,} records")
            yield record
