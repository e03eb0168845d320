"""`replaylake archive versions`: what was done to a table, and which versions SQL can still read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_text

if TYPE_CHECKING:
    from lake.history import TableVersion


def versions(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    of: Annotated[Literal["steps", "quarantine"], typer.Option("--table", help="Of which table.")] = "steps",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="So many, the newest.")] = 20,
) -> None:
    """List the versions of an archive's steps, newest first: when, by what, and whether it still reads.

    An older one is read by SQL: from NAME.steps at (version => 3). A vacuum removes the files of old ones,
    and an erasure those of all before it.
    """
    found = run.lake.archive(name).versions(of, limit)
    shown = table(
        "version", "when (UTC)", "what", "rows", "files", "reads", numbers=("version", "rows", "files")
    )
    for one in found:
        shown.add_row(
            f"{one.version:,}",
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            safe_text(" ".join((one.done, ", ".join(one.columns))).rstrip()),
            _rows(one),
            _files(one),
            "yes" if one.is_readable else "no",
        )
    run.answer([one.to_dict() for one in found], shown)
    if found and len(found) == limit and found[-1].version > 0:
        run.say(f"Shown: the newest {limit}. --limit gives more.")


def _rows(one: TableVersion) -> str:
    """Return by how many rows the table grew, or shrank: of rewritten rows the same number goes and comes."""
    if one.rows_added is None or one.rows_removed is None:
        return "?"
    grown = one.rows_added - one.rows_removed
    return f"{grown:+,}" if grown else ""


def _files(one: TableVersion) -> str:
    if one.files_added is None or one.files_removed is None:
        return "?"
    counts = (
        f"+{one.files_added:,}" * bool(one.files_added),
        f"-{one.files_removed:,}" * bool(one.files_removed),
    )
    return " ".join(filter(None, counts))
