"""`replaylake query`: SQL over the lake's archives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from replaylake.cli.assignments import parse_assignments
from replaylake.cli.console import console
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError

Format = Literal["table", "csv", "json", "arrow", "parquet"]
_BY_ENDING: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".json": "json",
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
        """,
    )


def query(
    run: Run,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT.")],
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
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="The value of $NAME; as often as needed.")
    ] = None,
) -> None:
    """Ask the lake in SQL: each archive has the views NAME.steps, .transitions, .episodes and .quarantine.

    In JSON a number that is not finite is the string NaN, Infinity or -Infinity, and bytes are base64. Arrow
    is the IPC format in a file, and the stream format on standard output.
    """
    chosen = _format(form, output, run.as_json)
    values = parse_assignments(param or (), what="parameter")
    if chosen in ("arrow", "parquet") and output is None and sys.stdout.isatty():
        raise UsageError(
            f"{chosen} is no text, and standard output is a terminal.",
            hint="Give --output FILE, or pipe it on.",
        )
    rows = run.lake.sql(sql, values or None).arrow()
    if chosen == "table":
        from replaylake.cli.result_table import result_table

        shown, note = result_table(rows, console().width)
        run.answer(None, shown)
        if note:
            run.say(note)
        return
    from replaylake.cli.result_files import write_result

    write_result(rows, chosen, output)
    if output is not None:
        run.say(f"Wrote {rows.num_rows:,} rows to {output}.")


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
