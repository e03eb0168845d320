"""`replaylake snapshot split | diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_text
from replaylake.cli.snapshot_text import snapshot_document
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from lake import SnapshotDiff

_FIGURES = ("min", "median", "mean", "max")


def register(group: typer.Typer) -> None:
    """Add the verbs."""
    add_verb(
        group,
        split,
        example="""
            replaylake snapshot split best
            replaylake snapshot split best --train 0.7 --validation 0 --test 0.3 --seed 1
        """,
    )
    add_verb(group, diff, example="replaylake snapshot diff cartpole-0123456789ab cartpole-ba9876543210")


def split(
    run: Run,
    snapshot: Annotated[str, typer.Argument(metavar="ID", help="The snapshot, by id or by name.")],
    train: Annotated[float, typer.Option(metavar="SHARE", help="Of the episodes, to learn from.")] = 0.8,
    validation: Annotated[float, typer.Option(metavar="SHARE", help="To choose by.")] = 0.1,
    test: Annotated[float, typer.Option(metavar="SHARE", help="To judge by.")] = 0.1,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed splits in another way.")] = 0,
) -> None:
    """Split a snapshot by whole episodes, and keep the parts as snapshots.

    An episode is in the same part in every snapshot that is split with these shares and this seed, however
    the archive grows; all its agents are in that part with it.
    """
    parts = run.lake.snapshot(snapshot).split(train, validation, test, seed=seed)
    named = run.lake.snapshot_names.all()
    shown = table("part", "snapshot", "rows", "episodes", numbers=("rows", "episodes"))
    for name, part in parts.items():
        shown.add_row(name, part.id, f"{part.rows:,}", f"{part.episodes:,}")
    documents = {
        name: snapshot_document(part, [given for given, held in named.items() if held == part.id])
        for name, part in parts.items()
    }
    run.answer(documents, shown)
    if "train" in parts:
        run.suggest("train", "--snapshot", parts["train"].id, "--algorithm", "cql")


def diff(
    run: Run,
    a: Annotated[str, typer.Argument(metavar="A", help="A snapshot, by id or by name.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, of any archive.")],
) -> None:
    """Compare two snapshots: which rows and episodes only one of them has, and what was chosen otherwise.

    Rows are known by their keys; a row in both is not looked into.
    """
    from lake import diff_snapshots

    found = diff_snapshots(run.lake.snapshot(a), run.lake.snapshot(b))
    said: list[RenderableType] = [_amounts(found), "", _figures(found)]
    unequal = {**found.choices, **{f"spec: {name}": held for name, held in found.spec.items()}}
    if unequal:
        said += ["", _choices(unequal)]
    same = "The rows of both are the same." if found.is_same else "The snapshots differ."
    run.answer(found.to_json(), f"A is {found.a}, B is {found.b}. {same}\n", *said)


def _amounts(found: SnapshotDiff) -> Table:
    shown = table("", "only in A", "only in B", "in both", numbers=("only in A", "only in B", "in both"))
    for name, held in (("rows", found.rows), ("episodes", found.episodes), ("files", found.files)):
        shown.add_row(name, f"{held.only_a:,}", f"{held.only_b:,}", f"{held.both:,}")
    if found.changed_episodes:
        shown.add_row("of them with other rows", "", "", f"{found.changed_episodes:,}")
    return shown


def _figures(found: SnapshotDiff) -> Table:
    shown = table("of an episode", *_FIGURES, "episodes", numbers=(*_FIGURES, "episodes"))
    for what, sides in (("return", found.returns), ("length", found.lengths)):
        for name, held in zip(("A", "B"), sides, strict=True):
            figures = ("" if held[column] is None else f"{held[column]:.4g}" for column in _FIGURES)
            shown.add_row(f"{what} in {name}", *figures, f"{held['episodes']:,}")
    return shown


def _choices(unequal: dict[str, tuple[Any, Any]]) -> Table:
    shown = table("what is different", "A", "B")
    for name, (of_a, of_b) in unequal.items():
        shown.add_row(name.replace("_", " "), _text(of_a), _text(of_b))
    return shown


def _text(value: Any) -> Text:
    from rich.text import Text

    from replaylake.cli.json_text import json_text

    said = "" if value is None else value if isinstance(value, str) else json_text(value, indent=None)
    return Text(safe_text(said))
