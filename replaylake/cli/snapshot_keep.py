"""`replaylake snapshot name | unname | pin | unpin | delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_text
from replaylake.cli.snapshot_text import snapshot_document
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.text import Text

_Snapshot = Annotated[str, typer.Argument(metavar="ID", help="The snapshot, by id or by name.")]
_By = Annotated[str, typer.Option(metavar="WHO", help="Who needs it, such as model/best.")]


def register(group: typer.Typer) -> None:
    """Add the verbs."""
    add_verb(
        group,
        name_,
        name="name",
        example="""
            replaylake snapshot name cartpole-0123456789ab best
            replaylake snapshot name cartpole-0123456789ab best --move
        """,
    )
    add_verb(group, unname, example="replaylake snapshot unname best")
    add_verb(
        group,
        pin,
        example="replaylake snapshot pin best --by model/cartpole-cql --note 'what it learned from'",
    )
    add_verb(group, unpin, example="replaylake snapshot unpin best --by model/cartpole-cql")
    add_verb(group, delete, example="replaylake snapshot delete cartpole-0123456789ab")


def name_(
    run: Run,
    snapshot: _Snapshot,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and . _ -")],
    move: Annotated[bool, typer.Option("--move", help="Take it from the snapshot that has it.")] = False,
) -> None:
    """Give a snapshot a name, by which it is found like by its id. One snapshot of the lake has it."""
    found = run.lake.snapshot(snapshot)
    run.lake.snapshot_names.give(name, found.id, move=move)
    names = run.lake.snapshot_names.of(found.id)
    run.answer(snapshot_document(found, names), f"{name} is the snapshot {found.id}.")


def unname(run: Run, name: Annotated[str, typer.Argument(metavar="NAME", help="The name.")]) -> None:
    """Take a name away from its snapshot, which stays."""
    snapshot_id = run.lake.snapshot_names.take(name)
    run.answer({"name": name, "snapshot": snapshot_id}, f"{name} is no name of {snapshot_id} any more.")


def pin(
    run: Run,
    snapshot: _Snapshot,
    by: _By,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
) -> None:
    """Say that a snapshot is needed: it cannot be deleted before all who need it let it go."""
    from lake import pin as keep

    found = keep(run.lake.snapshot(snapshot), by, note)
    names = run.lake.snapshot_names.of(found.id)
    run.answer(snapshot_document(found, names), _plain(f"{found.id} is pinned by {by}."))


def unpin(run: Run, snapshot: _Snapshot, by: _By) -> None:
    """Let a snapshot go that was pinned."""
    from lake import unpin as let_go

    found = let_go(run.lake.snapshot(snapshot), by)
    names = run.lake.snapshot_names.of(found.id)
    run.answer(snapshot_document(found, names), _plain(f"{found.id} is not pinned by {by} any more."))


def delete(run: Run, snapshot: _Snapshot) -> None:
    """Delete a snapshot that nobody has pinned; the archive's steps stay.

    Files that only this snapshot kept go with the next vacuum.
    """
    from lake import delete_snapshot

    found = run.lake.snapshot(snapshot)
    names = delete_snapshot(found)
    said = f", which was named {', '.join(names)}" if names else ""
    run.answer(snapshot_document(found, names), f"Deleted the snapshot {found.id}{said}.")


def _plain(said: str) -> Text:
    """Return text that is no markup, whatever it says."""
    from rich.text import Text

    return Text(safe_text(said))
