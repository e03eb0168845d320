"""Which archives a verb of `replaylake maintain` is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.run import Run

if TYPE_CHECKING:
    from lake import Archive

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The archive.")]


def chosen_archives(run: Run, name: str | None, all_: bool) -> list[Archive]:
    """Return the archive of that name, or every one of the lake; either is to be said."""
    from schemas.errors import UsageError

    if (name is None) == (not all_):
        raise UsageError("Which archive is meant is not clear.", hint="Give a NAME, or --all.")
    return run.lake.archives() if name is None else [run.lake.archive(name)]
