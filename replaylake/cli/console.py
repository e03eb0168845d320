"""The two consoles: answers on standard output, the rest on standard error."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNBROKEN = 100_000  # the width where no person looks: what reads a pipe takes whole lines
_LEAST = 12  # characters that are left of a text that is cut


def console() -> Console:
    """Return the console of standard output."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Return the console of standard error."""
    return _console(sys.stderr)


def _console(file: IO[str]) -> Console:
    from rich.console import Console

    return Console(file=file, width=None if file.isatty() else _UNBROKEN, highlight=False, emoji=False)


def table(*columns: str, numbers: tuple[str, ...] = (), **options: Any) -> Table:
    """Return an empty table with these columns; those of numbers stand to the right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", **options)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def excess(made: Table) -> int:
    """Return by how many characters a table is wider than standard output; 0 where it fits."""
    shown = console()
    natural = shown.measure(made, options=shown.options.update_width(_UNBROKEN)).maximum
    return max(natural - shown.width, 0)


def cut_to_fit(made: Table, column: int) -> Table:
    """Let one column take what room the others leave on a terminal: its texts end with … where they must."""
    from rich.cells import cell_len

    if over := excess(made):
        cut = made.columns[column]
        longest = max(cell_len(str(cell)) for cell in (cut.header, *cut.cells))
        cut.max_width = max(longest - over, _LEAST)
        cut.no_wrap, cut.overflow = True, "ellipsis"
    return made


def pairs(content: dict[str, Any]) -> Table:
    """Return names with what they stand for, a pair a line; what is empty is left out."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in content.items():
        if value is not None and value != "":
            made.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    return made
