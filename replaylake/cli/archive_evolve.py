"""`replaylake archive evolve`: let a spec grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replaylake.cli.run import Run
from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.archive_spec import ArchiveSpec


def evolve(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=SPACE", help="Add a column; a space is a type or YAML. Repeatable."),
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the whole spec of a file instead.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change.")] = False,
) -> None:
    """Let an archive's spec grow by columns, or change what no row hangs on.

    Rows that are there lack a new column: it is null. Spaces, partitions and columns that are there stay.
    Workers that run go on by the new spec within about a second.
    """
    from replaylake.cli.spec_files import read_spec

    if (spec is None) == (not add):
        raise UsageError("A spec grows by --add or by --spec.", hint="Give one of the two.")
    archive = run.lake.archive(name)
    new = _grown(archive.spec, add or []) if spec is None else read_spec(name, spec)
    changes = _changes(archive.spec, new)
    if not dry_run:
        archive.evolve(new)
    said = [f"{what}: {before} -> {after}" for what, (before, after) in changes.items()]
    done = "would change" if dry_run else "changed"
    run.answer(
        {"archive": name, "changes": changes, "dry_run": dry_run},
        "\n".join([f"{name} {done}:" if said else f"{name} is so already.", *said]),
    )


def _grown(spec: ArchiveSpec, added: list[str]) -> ArchiveSpec:
    import yaml

    from schemas.archive_spec import ArchiveSpec

    content = spec.to_json()
    for one in added:
        column, sign, space = one.partition("=")
        if not sign:
            raise UsageError(f"The column {one!r} is not COLUMN=SPACE.", hint="Such as: --add campaign=text")
        try:
            given = yaml.safe_load(space)
        except yaml.YAMLError as exc:
            raise UsageError(
                f"The space {space!r} is not YAML.", hint="Such as: {type: box, shape: [2]}"
            ) from exc
        content["extras"][column] = {"type": given} if isinstance(given, str) else given
    return ArchiveSpec.from_json(content)


def _changes(old: ArchiveSpec, new: ArchiveSpec) -> dict[str, tuple[Any, Any]]:
    """Return what differs, before and after, by its name in the spec."""
    before, after = old.to_json(), new.to_json()
    columns = {
        f"extras.{column}": (before["extras"].get(column), space)
        for column, space in after["extras"].items()
        if before["extras"].get(column) != space
    }
    return columns | {
        name: (before[name], after[name])
        for name in after
        if name != "extras" and before[name] != after[name]
    }
