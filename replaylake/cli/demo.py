"""`replaylake demo`: the whole way of experience in one command."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.console import console, error_console
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError

if TYPE_CHECKING:
    from replaylake.flows.demo import Figures, Part


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        demo,
        example="""
            replaylake demo
            replaylake demo --seed 7 --folder ./demo7 --json
        """,
    )


def demo(
    run: Run,
    seed: Annotated[int, typer.Option(metavar="N", help="What is played and learned hangs on it.")] = 0,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where it is kept; an earlier demo there is replaced.")
    ] = Path("replaylake-demo"),
) -> None:
    """Play, publish, ingest, ask, learn and compare: all of replaylake in about half a minute.

    A poor policy plays CartPole; one row in a hundred is broken on purpose, and found by the gate. What is
    learned from the rest is played beside the data's own policy. The demo has a lake and a stream of its
    own, in its folder, and leaves a report there. It ends with 1 where the learned policy is not good.
    """
    for name in ("lake", "stream"):
        if name in run.flags:
            raise UsageError(
                f"The demo makes a {name} of its own (given: --{name} {run.flags[name]}).",
                hint=f"Leave --{name} out, and name the demo's folder with --folder.",
            )
    with progress("Getting ready"):  # the lake's libraries take their time
        from replaylake.flows.demo import FULL, run_demo

    figures = run_demo(folder, seed=seed, load=FULL, audience=_Screen(run), program=_program())
    if run.as_json:
        run.answer(figures.to_dict())
    if figures.faults:
        _say_faults(figures)
        raise typer.Exit(1)


class _Screen:
    """Show people how the demo goes; with --json, nothing but its progress."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def watch(
        self, what: str, total: float | None = None
    ) -> AbstractContextManager[Callable[[float, str], None]]:
        """Show progress on standard error."""
        return progress(what, total)

    def show(self, part: Part) -> None:
        """Print a part of the story."""
        if self._run.as_json:
            return
        from rich.text import Text

        from replaylake.cli.demo_story import shown

        for renderable in shown(part):
            # A line is never broken: what is to be pasted has to stay one command.
            console().print(renderable, soft_wrap=isinstance(renderable, Text))


def _say_faults(figures: Figures) -> None:
    from rich.text import Text

    for fault in figures.faults:
        line = Text.assemble(("error: ", "bold red"), f"{fault[0].upper()}{fault[1:]}.")
        error_console().print(line, soft_wrap=True)


def _program() -> str:
    """Return how this command is called from here: by its name only where the shell finds this very one."""
    own = Path(sys.executable).with_name("replaylake")
    found = shutil.which("replaylake")
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return "replaylake"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
