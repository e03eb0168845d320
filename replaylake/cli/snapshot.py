"""`replaylake snapshot create | list | show`, and the verbs of the modules beside this one."""

from __future__ import annotations

from typing import Annotated

import typer

from replaylake.cli import snapshot_compare, snapshot_keep
from replaylake.cli.console import cut_to_fit, table
from replaylake.cli.run import Run
from replaylake.cli.snapshot_text import choice_text, snapshot_document, snapshot_table
from replaylake.cli.verbs import add_verb
from schemas.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="snapshot", help="Keep steps for good, under an id.")
    add_verb(
        group,
        create,
        example="""
            ID=$(replaylake snapshot create cartpole)
            replaylake snapshot create cartpole --where "quality_score > 0.9 and date >= '2026-01-01'"
            replaylake snapshot create cartpole --episodes "length > 20 and return >= 100" --name best
        """,
    )
    add_verb(group, list_, name="list", example="replaylake snapshot list")
    add_verb(group, show, example="replaylake snapshot show cartpole-0123456789ab")
    snapshot_compare.register(group)
    snapshot_keep.register(group)


def create(
    run: Run,
    archive: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Which steps: what stands after WHERE. All without it.")
    ] = None,
    episodes: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Which episodes: a condition on a row of each, such as 'length > 20 and return >= 100'.",
        ),
    ] = None,
    any_step: Annotated[
        str | None, typer.Option(metavar="SQL", help="Which episodes: one of their steps is so.")
    ] = None,
    all_steps: Annotated[
        str | None, typer.Option(metavar="SQL", help="Which episodes: each of their steps is so.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these columns, with commas between, and those of the key."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Give the snapshot a name.")] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Take the name from the snapshot that has it.")
    ] = False,
) -> None:
    """Keep the steps that an archive holds now, and print the snapshot's id.

    The same steps and conditions have the same id. What is ingested later does not change a snapshot, nor
    does what an audit finds later of episodes that were chosen by it.
    """
    from lake.snapshots import SnapshotNames

    if move and name is None:
        raise UsageError("--move moves a name, and none was given.", hint="Give --name NAME.")
    if name is not None:
        SnapshotNames.check(name)
    snapshot = run.lake.archive(archive).snapshot(
        where,
        episodes=episodes,
        any_step=any_step,
        all_steps=all_steps,
        columns=None if columns is None else [column.strip() for column in columns.split(",")],
    )
    if name is not None:
        run.lake.snapshot_names.give(name, snapshot.id, move=move)
    if run.as_json:
        run.answer(snapshot_document(snapshot, run.lake.snapshot_names.of(snapshot.id)))
    else:
        run.write(f"{snapshot.id}\n")
    run.suggest("train", "--snapshot", snapshot.id, "--algorithm", "cql")


def list_(run: Run) -> None:
    """List the snapshots of the lake, oldest first; `snapshot show` says all of one."""
    from rich.text import Text

    found = run.lake.snapshots()
    named: dict[str, list[str]] = {}
    for name, snapshot_id in run.lake.snapshot_names.all().items():
        named.setdefault(snapshot_id, []).append(name)
    shown = table("snapshot", "names", "rows", "episodes", "created", "chosen", numbers=("rows", "episodes"))
    for snapshot in found:
        shown.add_row(
            snapshot.id,
            ", ".join(named.get(snapshot.id, [])),
            f"{snapshot.rows:,}",
            f"{snapshot.episodes:,}",
            f"{snapshot.created_at:%Y-%m-%d}",
            Text(choice_text(snapshot)),
        )
    documents = [snapshot_document(snapshot, named.get(snapshot.id, [])) for snapshot in found]
    run.answer(documents, cut_to_fit(shown, -1) if found else "The lake has no snapshots.")


def show(
    run: Run, snapshot: Annotated[str, typer.Argument(metavar="ID", help="The snapshot, by id or by name.")]
) -> None:
    """Show a snapshot: which steps, how many, since when, who needs it, and what was erased of it."""
    found = run.lake.snapshot(snapshot)
    names = run.lake.snapshot_names.of(found.id)
    run.answer(snapshot_document(found, names), snapshot_table(found, names))
    run.suggest("train", "--snapshot", found.id, "--algorithm", "cql")
