"""`replaylake maintain erase | erasures`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replaylake.cli.console import error_console, table
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_text
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.table import Table

    from lake.maintenance.erasure_report import ErasureReport

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The archive.")]


def register(group: typer.Typer) -> None:
    """Add the verbs."""
    add_verb(
        group,
        erase,
        example="""
            replaylake maintain erase clicks --agent user-17 --reason "request 2026-31" --dry-run
            replaylake maintain erase arm --where "policy_version = 'broken'" --reason "wrong sensor" --yes
            replaylake maintain erase clicks --resume
        """,
    )
    add_verb(group, erasures, example="replaylake maintain erasures clicks")


def erase(
    run: Run,
    name: _Name,
    agent: Annotated[str | None, typer.Option(metavar="A", help="All rows of this agent.")] = None,
    source: Annotated[str | None, typer.Option(metavar="S", help="Of this source alone.")] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Rows: what stands after WHERE, over the columns of steps."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it is kept, so name nobody in it.")
    ] = None,
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Keep out also what the agent does after now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is touched, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Finish erasures that were cut short.")] = False,
) -> None:
    """Erase rows for good: from all files and versions, quarantine, snapshots (pinned ones, too) and caches.

    What is touched is listed first, then you are asked. Rows that were erased do not land again, from the
    stream, from quarantine or from a file. The stream itself keeps its messages until its own retention.
    """
    from lake.maintenance.erase import erase as erase_rows
    from lake.maintenance.erase import resume_erasures
    from lake.maintenance.erasure_plan import Criterion, plan_erasure
    from schemas.errors import UsageError

    archive = run.lake.archive(name)
    if resume:
        if agent or where or dry_run:
            raise UsageError("What is resumed is decided already.", hint="Give --resume alone.")
        with progress("Erasing"):
            done = resume_erasures(archive, run.lake.cache_folder)
        finished = (
            f"{len(done)} finished." if done else "No erasure was cut short: there is nothing to finish."
        )
        run.answer([one.to_dict() for one in done], finished)
        return
    if agent is None and where is None:
        raise UsageError(
            "Nothing is said to be erased.", hint="Give --agent A, alone or with --source S, or --where SQL."
        )
    if not reason and not dry_run:
        raise UsageError("An erasure has a reason.", hint="Give it: --reason TEXT. Name nobody in it.")
    with progress("Looking"):
        plan = plan_erasure(archive, Criterion(agent, source, where, for_good), reason or "")
    touched = plan.to_dict()
    if dry_run:
        run.answer({"dry_run": True, "touched": touched}, *_shown(touched))
        if not any(touched["rows"].values()):
            run.say(f"No row of it is in {name}: is the name right?")
        return
    if not yes:
        for one in _shown(touched):
            error_console().print(one)
        _confirm(name)
    with progress("Erasing"):
        report = erase_rows(archive, plan, run.lake.cache_folder)
    run.answer(report.to_dict(), *_shown(touched), _told(report))
    if not any(touched["rows"].values()):
        run.say(f"No row of it was found in {name}: is the name right? It is kept out from now on.")


def erasures(run: Run, name: _Name) -> None:
    """List what was erased from an archive: when, why, how many rows, and of how many snapshots."""
    from lake.maintenance.erase import list_erasures

    found = list_erasures(run.lake.archive(name))
    numbers = ("number", "rows", "snapshots")
    shown = table("number", "decided (UTC)", "done (UTC)", "rows", "snapshots", "reason", numbers=numbers)
    for one in found:
        shown.add_row(
            str(one["number"]),
            one["made_at"][:16].replace("T", " "),
            (one["finished_at"] or "no: --resume")[:16].replace("T", " "),
            f"{sum(one['touched']['rows'].values()):,}",
            f"{len(one['touched']['snapshots']):,}",
            safe_text(one["reason"]),
        )
    run.answer(found, shown)


def is_terminal() -> bool:
    """Say whether somebody is there to be asked."""
    return sys.stdin.isatty()


def _confirm(name: str) -> None:
    from schemas.errors import UsageError

    if not is_terminal():
        raise UsageError("Nobody is here to be asked whether to erase.", hint="Give --yes to erase unasked.")
    if not typer.confirm(f"Erase this from {name}? It cannot be undone.", err=True):
        raise typer.Exit(1)


def _shown(touched: dict[str, Any]) -> list[Table]:
    rows = table("table", "rows", numbers=("rows",))
    for one, count in touched["rows"].items():
        rows.add_row(one, f"{count:,}")
    if not touched["snapshots"]:
        return [rows]
    snapshots = table("snapshot", "rows in its files", "pinned by", numbers=("rows in its files",))
    for one in touched["snapshots"]:
        snapshots.add_row(one["id"], f"{one['rows']:,}", ", ".join(map(safe_text, one["pins"])))
    return [rows, snapshots]


def _told(report: ErasureReport) -> str:
    lines = [f"Erased ({report.removed_files:,} old files removed). What is left, and not here:"]
    return "\n".join([*lines, *(f"  {what}" for what in report.remains)])
