"""Answer one SELECT: on the terminal as a table, or in a format that others read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from replaylake.cli.console import console
from replaylake.cli.run import Run
from schemas.errors import UsageError

if TYPE_CHECKING:
    from lake import QueryLimits

Format = Literal["table", "csv", "json", "ndjson", "arrow", "parquet"]


def answer(
    run: Run,
    sql: str,
    values: dict[str, Any],
    limits: QueryLimits,
    form: Format,
    output: Path | None = None,
) -> None:
    """Run one SELECT, and show or write its rows."""
    if sql.lstrip().startswith("."):
        raise UsageError(
            f"{sql.split()[0]} is no SQL: commands with a dot belong to the prompt.",
            hint="Run `replaylake query` on a terminal for it, or say: show tables.",
        )
    if form in ("arrow", "parquet") and output is None and sys.stdout.isatty():
        raise UsageError(
            f"{form} is no text, and standard output is a terminal.",
            hint="Give --output FILE, or pipe it on.",
        )
    from lake.sql.processes import bounded_process

    with bounded_process(limits):
        result = run.lake.sql(sql, values or None, limits=limits)
        if form == "table":
            from replaylake.cli.result_table import result_table

            shown, note = result_table(result.batches(), console().width)
            run.answer(None, shown)
            if note:
                run.say(note)
            return
        from replaylake.cli.result_files import write_result

        rows = write_result(result, form, output)
        if output is not None:
            run.say(f"Wrote {rows:,} rows to {output}.")
