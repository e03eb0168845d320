"""`replaylake validate run | init | audit | report | shadow`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from replaylake.cli import validate_audit, validate_init, validate_report, validate_shadow
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from replaylake.flows.validating import Subject
    from validation import Suite

Format = Literal["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="validate", help="Judge steps by a suite, and audit what has landed.")
    add_verb(
        group,
        run_,
        name="run",
        example="""
            replaylake validate run cartpole --suite rules.json
            replaylake validate run clicks.parquet --suite clicks.yaml --output result.json
            replaylake validate run steps.ndjson --archive cartpole
        """,
    )
    for verb in (validate_init, validate_audit, validate_report, validate_shadow):
        verb.register(group)


def run_(
    run: Run,
    target: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="An archive; or a Parquet, CSV, NDJSON or Arrow file.")
    ],
    suite: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A suite of Great Expectations' form; the archive's own without it."
        ),
    ] = None,
    archive: Annotated[
        str | None, typer.Option(metavar="NAME", help="The file holds steps of this archive.")
    ] = None,
    result_format: Annotated[
        Format, typer.Option(help="How much is told; COMPLETE has every failing row.")
    ] = "SUMMARY",
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Which rows: what stands after WHERE. All without it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result as JSON.")
    ] = None,
    data_docs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Run Great Expectations itself, too, and build its Data Docs."),
    ] = None,
) -> None:
    """Judge an archive's steps, or the rows of a file, by a suite: which expectations are met?

    Leaves with 1 where a critical expectation is not met, and with 0 where only others are not. The rows are
    read into memory: choose with --where from an archive that does not fit. The result has Great
    Expectations' own keys.
    """
    from replaylake.cli.json_text import json_text
    from replaylake.cli.validate_tables import results_table, summary_of
    from replaylake.cli.whole_files import whole_file
    from replaylake.flows.validating import read_subject
    from validation import Suite

    chosen = None if suite is None else Suite.load(suite)
    subject = read_subject(run.lake, target, where, archive)
    judging = chosen or subject.suite
    judged = subject.judge(judging, result_format)
    document = judged.to_dict()
    if output is not None:
        with whole_file(output) as file:
            file.write(f"{json_text(document)}\n".encode())
    run.answer(document, results_table(document))
    run.say(summary_of(document, subject.rows.num_rows))
    if output is not None:
        run.say(f"Wrote the result to {output}.")
    if data_docs is not None:
        run.say(f"The Data Docs are in {_build_data_docs(judging, subject, data_docs)}.")
    if any(not one.success and one.expectation.severity == "critical" for one in judged.results):
        raise typer.Exit(1)


def _build_data_docs(suite: Suite, subject: Subject, folder: Path) -> Path:
    from validation.great_expectations import build_data_docs

    return build_data_docs(suite, subject.rows, folder, name=subject.name)
