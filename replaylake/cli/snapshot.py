"""`replaylake snapshot create | list | show`."""

from __future__ import annotations

from typing import Annotated

import typer

from replaylake.cli.console import table
from replaylake.cli.descriptions import snapshot_table
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="snapshot", help="Pin steps for good, under an id.")
    add_verb(
        group,
        create,
        example="""
            ID=$(replaylake snapshot create cartpole)
            replaylake snapshot create cartpole --where "quality_score > 0.9 and date >= '2026-01-01'"
        """,
    )
    add_verb(group, list_, name="list", example="replaylake snapshot list")
    add_verb(group, show, example="replaylake snapshot show cartpole-0123456789ab")


def create(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Which steps: what stands after WHERE. All without it.")
    ] = None,
) -> None:
    """Pin the steps that an archive holds now, and print the snapshot's id.

    The same steps and condition have the same id. What is ingested later does not change a snapshot.
    """
    snapshot = run.lake.archive(name).snapshot(where)
    if run.as_json:
        run.answer(snapshot.to_json())
    else:
        run.write(f"{snapshot.id}\n")
    run.suggest("train", "--snapshot", snapshot.id, "--algorithm", "cql")


def list_(run: Run) -> None:
    """List the snapshots of the lake, oldest first."""
    found = run.lake.snapshots()
    shown = table("snapshot", "archive", "rows", "created (UTC)", "where", numbers=("rows",))
    for snapshot in found:
        created = f"{snapshot.created_at:%Y-%m-%d %H:%M}"
        shown.add_row(snapshot.id, snapshot.archive.name, f"{snapshot.rows:,}", created, snapshot.where)
    run.answer([snapshot.to_json() for snapshot in found], shown)


def show(run: Run, snapshot_id: Annotated[str, typer.Argument(metavar="ID", help="The snapshot.")]) -> None:
    """Show a snapshot: which steps, how many, and since when."""
    snapshot = run.lake.snapshot(snapshot_id)
    run.answer(snapshot.to_json(), snapshot_table(snapshot))
    run.suggest("train", "--snapshot", snapshot.id, "--algorithm", "cql")
