"""`replaylake maintain retain`."""

from __future__ import annotations

from typing import Annotated

import typer

from replaylake.cli.console import table
from replaylake.cli.maintain_choice import Name, chosen_archives
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

_TABLES = ("steps", "cold", "quarantine", "episodes")


def register(group: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        group,
        retain,
        example="""
            replaylake maintain retain cartpole --dry-run
            replaylake maintain retain --all
        """,
    )


def retain(
    run: Run,
    name: Name = None,
    all_: Annotated[bool, typer.Option("--all", help="Every archive whose spec sets a retention.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would move and go, and change nothing.")
    ] = False,
) -> None:
    """Move steps older than the spec's hot_days to its cold place, and delete those past retention_days.

    Steps in the cold place take fewer bytes, and are queried as before. Workers may go on meanwhile. The old
    files stay stored until `maintain vacuum`, and those of snapshots for as long as these are there.
    """
    from lake.maintenance.erase import resume_erasures
    from lake.maintenance.retain import retain as retain_archive

    archives = chosen_archives(run, name, all_)
    if all_:
        specs = ((archive, archive.spec) for archive in archives)
        archives = [archive for archive, spec in specs if spec.hot_days or spec.retention_days]
        if not archives:
            run.answer([], "No archive's spec sets a retention: there is nothing to do.")
            return
    shown = table("archive", "hot from", "kept from", "moved", "deleted", numbers=("moved",))
    reports = []
    for archive in archives:
        with progress(f"Retention of {archive.name}") as report:
            if not dry_run:
                resume_erasures(archive, run.lake.cache_folder)
            done = retain_archive(
                archive, dry_run=dry_run, on_progress=lambda so_far: report(0, f"{so_far.moved_rows:,} moved")
            )
        reports.append(done.to_dict())
        shown.add_row(
            archive.name,
            str(done.hot_from or ""),
            str(done.kept_from or ""),
            f"{done.moved_rows:,}",
            ", ".join(f"{done.deleted[one]:,} of {one}" for one in _TABLES if done.deleted.get(one)) or "0",
        )
    run.answer(reports, shown)
    if not dry_run:
        run.suggest("maintain", "vacuum", *([name] if name else ["--all"]))
