"""Progress on standard error, where it is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[float, str], None]  # how much is done, and a few words on how it goes


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator[Report]:
    """Show how far the work is while it lasts; without a total, only that it goes on."""
    if not sys.stderr.isatty():
        yield lambda done, note: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from replaylake.cli.console import error_console

    measure = (SpinnerColumn(),) if total is None else (BarColumn(), TaskProgressColumn())
    note_column = TextColumn("{task.fields[note]}", style="dim", markup=False)
    columns = (TextColumn("{task.description}"), *measure, TimeElapsedColumn(), note_column)
    with Progress(*columns, console=error_console(), transient=True) as shown:
        task = shown.add_task(what, total=total, note="")
        yield lambda done, note: shown.update(task, completed=done, note=note)
