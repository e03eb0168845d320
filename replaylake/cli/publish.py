"""`replaylake publish`: files, folders and foreign topics into an archive's stream."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.signals import interrupt_waits, stopped_by_signals
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError

if TYPE_CHECKING:
    from ingest import PublishReport, SourceOptions
    from ingest.mapping import RecordMapping
    from lake import Archive

_TOPIC = "topic:"
_LOG = logging.getLogger("replaylake.cli.publish")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        publish,
        settings=("stream", "partitions"),
        example="""
            replaylake publish cartpole monday.ndjson tuesday.json.gz
            zcat steps.ndjson.gz | replaylake publish cartpole -
            replaylake publish shop logs/ --mapping clicks.yaml --dry-run
            replaylake publish shop topic:clicks --mapping clicks.yaml --follow
        """,
    )


def publish(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Files, folders, patterns; - is standard input, topic:NAME a topic."
        ),
    ],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="YAML", help="Which fields become which columns.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the first rows as they would land; send nothing.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what is written, until Ctrl-C or SIGTERM.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send from the start what was published before, too.")
    ] = False,
    form: Annotated[
        Literal["auto", "csv", "json", "ndjson", "parquet", "avro"],
        typer.Option("--format", help="What the files are; auto looks at their names and first bytes."),
    ] = "auto",
) -> None:
    """Send the steps of files to an archive: the gate judges them when they are ingested.

    CSV, JSON, NDJSON, Parquet and Avro are read, gz and zst too. A mapping says which fields become which
    columns. Without one, JSON and NDJSON are sent as they are, and tables by the names of their columns.

    A file goes on where an earlier run stood, by what is in it, whatever its name; nothing of it is sent
    twice. A topic goes on where its group stood.
    """
    interrupt_waits()
    archive = run.lake.archive(name)
    topic = _topic_of(files)
    made = _loaded(mapping)
    if dry_run:
        _show_dry_run(run, archive, files, made, None if form == "auto" else form)
        return
    with progress("Publishing", None if topic or follow else _total(files)) as report, _stop(follow) as stop:
        if follow:
            run.say("Following; Ctrl-C flushes what was read, and stops.")

        def show(done: PublishReport) -> None:
            _LOG.info("published", extra={"records": done.records, "refused": done.refused})
            report(done.size, f"{done.records:,} records")

        how: dict[str, Any] = {"again": again, "stop": stop, "settings": run.settings, "on_progress": show}
        if topic is None:
            from replaylake import publish_files

            done = publish_files(archive, *files, mapping=made, options=_options(made, form), **how)
        else:
            if form != "auto":
                raise UsageError(
                    "--format is for files.", hint="Say it in the mapping: source: {format: ...}"
                )
            done = _published_topic(archive, topic, made, how)
    _answer(run, archive, files, done, is_mapped=made is not None)


def _published_topic(
    archive: Archive, topic: str, mapping: RecordMapping | None, how: dict[str, Any]
) -> PublishReport:
    from replaylake import publish_topic

    if mapping is None:
        raise UsageError("A topic needs a mapping.", hint="Say --mapping FILE.yaml.")
    return publish_topic(archive, topic, mapping=mapping, **how)


def _answer(run: Run, archive: Archive, files: list[str], done: PublishReport, *, is_mapped: bool) -> None:
    topic = archive.spec.topic
    document: dict[str, Any] = {
        "archive": archive.spec.name,
        "topic": topic,
        "files": files,
        "records": done.records,
    }
    said = f"Published {done.records:,} records to {topic}."
    if is_mapped or done.refused:
        document |= {"steps": done.steps, "refused": done.refused}
    if is_mapped:
        said = f"Published {done.steps:,} steps of {done.records:,} records to {topic}."
    if done.refused:
        said += f" {done.refused:,} became no step: to quarantine, each with its reason."
    lines = [said]
    if done.already:
        document["already_published"] = done.already
        lines = lines if done.records else []
        lines.append(_already(done.already))
    run.answer(document, *lines)
    run.suggest("ingest", archive.spec.name, "--once")


def _already(files: list[str]) -> str:
    if len(files) == 1:
        return f"{files[0]} was published already; --again sends it anyway."
    return f"{files[0]} and {len(files) - 1:,} more were published already; --again sends them anyway."


def _show_dry_run(
    run: Run, archive: Archive, files: list[str], mapping: RecordMapping | None, form: Any
) -> None:
    if mapping is None:
        raise UsageError("--dry-run shows what a mapping makes.", hint="Say --mapping FILE.yaml, too.")
    if _topic_of(files) is not None:
        raise UsageError("--dry-run reads files, and no topic.", hint="Save some messages as NDJSON first.")
    from ingest import find_files
    from ingest.sources import SourceOptions, open_records
    from replaylake.cli.console import console
    from replaylake.cli.dry_run_table import dry_run_shown
    from replaylake.flows.dry_run import dry_run

    options = (mapping.source or SourceOptions()).as_format(form)
    found = find_files(files, any_name=options.format is not None)
    batches = (records for file in found for records in open_records(file, options))
    done = dry_run(archive, mapping, batches)
    run.answer(done.to_dict(), *dry_run_shown(done, console().width))


def _loaded(path: Path | None) -> RecordMapping | None:
    if path is None:
        return None
    from ingest.mapping import RecordMapping

    return RecordMapping.load(path)


def _options(mapping: RecordMapping | None, form: Any) -> SourceOptions | None:
    if form == "auto":
        return None
    from ingest.sources import SourceOptions

    return ((mapping and mapping.source) or SourceOptions()).as_format(form)


def _topic_of(files: list[str]) -> str | None:
    topics = [file.removeprefix(_TOPIC) for file in files if file.startswith(_TOPIC)]
    if topics and len(files) > 1:
        raise UsageError("A topic is published alone.", hint="Name one topic, or files.")
    return topics[0] if topics else None


def _total(files: Iterable[str]) -> int | None:
    """Return how many bytes there are to be read, where that is known."""
    plain = all(os.path.isfile(file) and file.endswith((".csv", ".ndjson", ".jsonl")) for file in files)
    return sum(os.path.getsize(file) for file in files) if plain else None


@contextmanager
def _stop(follow: bool) -> Iterator[threading.Event | None]:
    if not follow:
        yield None
        return
    with stopped_by_signals() as stop:
        yield stop
