"""`replaylake maintain compact | vacuum | check`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from replaylake.cli import maintain_erase, maintain_retain
from replaylake.cli.console import table
from replaylake.cli.maintain_choice import Name, chosen_archives
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

_All = Annotated[bool, typer.Option("--all", help="Every archive of the lake.")]
_MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="maintain", help="Keep archives small, fast and sound.")
    add_verb(
        group,
        compact,
        example="""
            replaylake maintain compact cartpole
            replaylake maintain compact --all --dry-run
        """,
    )
    add_verb(group, vacuum, example="replaylake maintain vacuum cartpole --dry-run")
    add_verb(
        group,
        check,
        example="""
            replaylake maintain check --all
            replaylake maintain check cartpole --deep
        """,
    )
    maintain_retain.register(group)
    maintain_erase.register(group)


def compact(
    run: Run,
    name: Name = None,
    all_: _All = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be rewritten, and write nothing.")
    ] = False,
    target_mib: Annotated[
        float, typer.Option("--target", metavar="MIB", min=0.001, help="About how large files are to be.")
    ] = 128,
    memory_mib: Annotated[
        float, typer.Option("--memory", metavar="MIB", min=1, help="Sort so much at once.")
    ] = 256,
    all_days: Annotated[
        bool, typer.Option("--all-days", help="Look for steps that are there twice over all days, too.")
    ] = False,
) -> None:
    """Rewrite small files into large ones, sorted by episode and step, each key once.

    Workers may go on meanwhile. What was there twice goes; what says something else under a key that is
    taken goes to quarantine (key_conflict). The old files stay stored until `maintain vacuum`.
    """
    from lake.maintenance.part_rewrite import CompactionOptions

    options = CompactionOptions(int(target_mib * _MIB), int(memory_mib * _MIB), dry_run, all_days)
    numbers = ("files", "MB", "rows", "twice", "conflicts")
    shown = table("archive", "table", *numbers, numbers=numbers)
    reports = []
    for archive in chosen_archives(run, name, all_):
        with progress(f"Compacting {archive.name}") as report:
            done = archive.compact(options, lambda so_far: report(0, _rewritten(so_far.tables.values())))
        reports.append(done.to_dict())
        for one, counted in done.tables.items():
            after = ("", "") if dry_run else (f" → {counted.files_after:,}", f" → {_mb(counted.bytes_after)}")
            shown.add_row(
                archive.name,
                one,
                f"{counted.files_before:,}{after[0]}",
                f"{_mb(counted.bytes_before)}{after[1]}",
                f"{counted.rows_before:,}",
                f"{counted.duplicates + counted.superseded:,}",
                f"{counted.conflicts:,}",
            )
    run.answer(reports, shown)
    if not dry_run:
        run.suggest("maintain", "vacuum", *([name] if name else ["--all"]))


def vacuum(
    run: Run,
    name: Name = None,
    all_: _All = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    keep_days: Annotated[
        float,
        typer.Option("--keep", metavar="DAYS", min=0, help="Versions of so many days stay readable."),
    ] = 7,
    grace_hours: Annotated[
        float,
        typer.Option("--grace", metavar="HOURS", min=0, help="What nothing names stays so long."),
    ] = 24,
) -> None:
    """Remove stored files that no version, no snapshot and no running writer needs.

    Versions older than --keep cannot be queried afterwards. A writer that takes longer than --grace between
    writing a file and committing it has to write it again.
    """
    from lake.maintenance.vacuum import vacuum_archive

    keep, grace = timedelta(days=keep_days), timedelta(hours=grace_hours)
    numbers = ("removed", "MB", "held by snapshots", "too young")
    shown = table("archive", "table", *numbers, "reads from", numbers=numbers)
    reports = []
    for archive in chosen_archives(run, name, all_):
        with progress(f"Vacuuming {archive.name}"):
            done = vacuum_archive(archive, keep=keep, grace=grace, dry_run=dry_run)
        reports.append(done.to_dict())
        for one, counted in done.tables.items():
            shown.add_row(
                archive.name,
                one,
                f"{counted.files:,}",
                _mb(counted.bytes),
                f"{counted.held:,}",
                f"{counted.waiting:,}",
                f"version {counted.oldest_version}",
            )
    run.answer(reports, shown)


def check(
    run: Run,
    name: Name = None,
    all_: _All = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every row: checksums, days, and keys that are there twice.")
    ] = False,
) -> None:
    """Look whether everything that an archive says it has is there and whole; leave with 1 where it is not.

    Nothing is changed. Each problem is named with its file and what mends it.
    """
    from lake.maintenance.check import check_archive

    reports = []
    for archive in chosen_archives(run, name, all_):
        with progress(f"Checking {archive.name}") as report:
            reports.append(check_archive(archive, deep=deep, on_progress=lambda part: report(0, part)))
    lines = []
    for found in reports:
        said = "sound" if found.is_sound else _count(len(found.problems), "problem")
        amount = f"{_count(found.files, 'file')}, {_count(found.rows, 'row')}, {_mb(found.bytes)} MB"
        lines.append(f"{found.archive}: {said} ({amount}).")
        for problem in found.problems:
            place = f" {problem.file}" if problem.file else ""
            lines.append(f"  {problem.code} in {problem.table}{place}: {problem.what}. {problem.mend}")
    if run.as_json:
        run.answer([found.to_dict() for found in reports])
    else:
        run.write("".join(f"{line}\n" for line in lines))
    if not all(found.is_sound for found in reports):
        raise typer.Exit(1)


def _rewritten(tables: Any) -> str:
    return f"{sum(counted.files_before for counted in tables):,} files rewritten"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
