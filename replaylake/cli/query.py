"""`replaylake query`: SQL over the lake's archives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from replaylake.cli.assignments import parse_assignments
from replaylake.cli.query_answer import Format, answer
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError

if TYPE_CHECKING:
    from lake import QueryLimits

_BY_ENDING: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".parquet": "parquet",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        query,
        example="""
            replaylake query "select date, avg(reward) from cartpole.steps group by date"
            replaylake query 'select * from cartpole.transitions where step < $n' --param n=5 -o early.parquet
            replaylake query "select count(*) from cartpole.steps at (version => 3)"
            replaylake query
        """,
    )


def query(
    run: Run,
    sql: Annotated[
        str | None,
        typer.Argument(
            metavar="SQL", help="One SELECT; without it there is a prompt, or SQL is read from a pipe."
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="table is for people, and shows 50 rows; without it OUTPUT's ending decides."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file, whole or not at all."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="The value of $NAME; as often as needed."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="How much memory a query may use: 50% of what there is."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop a query that takes longer: none by default.")
    ] = None,
) -> None:
    """Ask the lake in SQL: each archive has the views NAME.steps, .transitions, .episodes and .quarantine.

    In JSON a number that is not finite is the string NaN, Infinity or -Infinity, and bytes are base64. Arrow
    is the IPC format in a file, and the stream format on standard output. See docs/querying.md.
    """
    chosen = _format(form, output, run.as_json)
    values = parse_assignments(param or (), what="parameter")
    limits = _limits(memory, timeout)
    if sql is None and sys.stdin.isatty():
        if output is not None or run.as_json:
            raise UsageError("There is no SQL to write the result of.", hint="Say it after `query`.")
        from replaylake.cli.query_prompt import ask_on_terminal

        ask_on_terminal(run, values, limits, "table" if form is None else form)
        return
    answer(run, sys.stdin.read() if sql is None else sql, values, limits, chosen, output)


def _limits(memory: str | None, timeout: float | None) -> QueryLimits:
    from lake import QueryLimits

    return QueryLimits(seconds=timeout) if memory is None else QueryLimits(memory=memory, seconds=timeout)


def _format(form: Format | None, output: Path | None, as_json: bool) -> Format:
    """Choose the format; raise UsageError where what was said does not go together."""
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} were given.", hint="Leave one of them out.")
    if as_json:
        return "json"
    if output is None:
        return form or "table"
    chosen = form or _BY_ENDING.get(output.suffix.lower())
    if chosen is None:
        raise UsageError(
            f"The format of {str(output)!r} is not known by its name.", hint="Say it with --format."
        )
    if chosen == "table":
        raise UsageError("A table is for people to look at, not for a file.", hint="Say --format csv.")
    return chosen
