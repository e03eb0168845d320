"""The command: its verbs, and its one way out.

A verb is a module of this folder, `<verb>.py`, with `register(app: typer.Typer) -> None`, which calls
`add_verb` (see `verbs.py`; `config.py` is the smallest of them). To add one, write it and name it in
`_VERBS`, in whose order `--help` shows them. Each is imported at every start of the command, so it imports
at its top what is light (typer, the modules of this folder), and inside its function what is not (rich's
tables, the settings, the lake, Torch).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from replaylake.cli import (
    algorithms,
    archive,
    bench,
    config,
    demo,
    evaluate,
    ingest,
    ingest_timeline,
    maintain,
    publish,
    quarantine,
    query,
    snapshot,
    train,
    validate,
)
from replaylake.cli.failures import exit_code_of, quiet_when_nobody_reads
from replaylake.cli.verbs import add_root

_VERBS = (
    demo,
    archive,
    publish,
    ingest,
    ingest_timeline,
    query,
    validate,
    quarantine,
    snapshot,
    maintain,
    train,
    evaluate,
    algorithms,
    config,
    bench,
)
_ENGINE = "replaylake-query"  # the thread of a query that did not stop in time: it has no good end


class _Root(TyperGroup):
    """Run a verb, and leave with its exit code: every failure of every verb passes here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        run = super().main
        sys.exit(
            exit_code_of(
                lambda: run(given, "replaylake", complete_var, False, windows_expand_args, **extra),
                as_json="--json" in given,
            )
        )

    def list_commands(self, ctx: Any) -> list[str]:
        order = [verb.__name__.rpartition(".")[2].replace("_", " ") for verb in _VERBS]
        return sorted(super().list_commands(ctx), key=[*order, *super().list_commands(ctx)].index)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two == ingest_timeline.NAME else args)

    def invoke(self, ctx: Any) -> Any:
        with quiet_when_nobody_reads():
            return super().invoke(ctx)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"replaylake {version('replaylake')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and leave."),
    ] = False,
) -> None:
    """Streams of experience in, datasets that a learner can trust out."""


app = typer.Typer(cls=_Root, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
add_root(app, _root, example="replaylake archive create cartpole --env CartPole-v1")
for _verb in _VERBS:
    _verb.register(app)


def main() -> None:
    """Run the command with the arguments of the process, and leave with 0, 1 (failed) or 2 (used wrongly)."""
    try:
        app()
    except SystemExit as leaving:
        if any(thread.name == _ENGINE for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        raise
