"""`replaylake archive evolve`: let a spec grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from replaylake.cli.run import Run
from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.archive_spec import ArchiveSpec

_SCALARS: Final = ("bool", "int64", "float64", "string", "timestamp")
_SPACES: Final = ("text", "box", "discrete", "multi_discrete", "multi_binary", "scalar", "dict", "tuple")
_POSSIBLE: Final = (
    f"A column is text, {', '.join(_SCALARS[:-1])} or {_SCALARS[-1]}, or a space as YAML: "
    "'{type: box, shape: [2]}'."
)


def evolve(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=SPACE",
            help="Add a column: text, bool, int64, float64, string, timestamp or YAML. Repeatable.",
        ),
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
    from lake.evolution import check_is_addition
    from replaylake.cli.spec_files import read_spec

    if (spec is None) == (not add):
        raise UsageError("A spec grows by --add or by --spec.", hint="Give one of the two.")
    archive = run.lake.archive(name)
    old = archive.spec
    new = _grown(old, add or []) if spec is None else read_spec(name, spec)
    check_is_addition(old, new)
    if not dry_run:
        archive.evolve(new)
    changes = _changes(old, new)
    done = "would change" if dry_run else "changed"
    run.answer(
        {"archive": name, "changes": changes, "dry_run": dry_run},
        "\n".join([f"{name} {done}:" if changes else f"{name} is so already.", *_said(new, changes)]),
    )


def _grown(spec: ArchiveSpec, added: list[str]) -> ArchiveSpec:
    from schemas.archive_spec import ArchiveSpec

    content = spec.to_json()
    for one in added:
        column, sign, space = one.partition("=")
        if not sign:
            raise UsageError(f"The column {one!r} is not COLUMN=SPACE.", hint="Such as: --add campaign=text")
        content["extras"][column] = _space(column, space)
    return ArchiveSpec.from_json(content)


def _space(column: str, said: str) -> dict[str, Any]:
    """Return the space that a person has named or written."""
    import yaml

    try:
        given = yaml.safe_load(said)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise UsageError(f"The space {said!r} of {column!r} is not YAML.", hint=_POSSIBLE) from exc
    if isinstance(given, str) and given in _SCALARS:
        return {"type": "scalar", "dtype": given}
    space = {"type": given} if isinstance(given, str) else given
    if not isinstance(space, dict) or space.get("type") not in _SPACES:
        raise UsageError(f"The column {column!r} cannot be of the type {said!r}.", hint=_POSSIBLE)
    return space


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


def _said(new: ArchiveSpec, changes: dict[str, tuple[Any, Any]]) -> Iterator[str]:
    """Say each change in a line."""
    from replaylake.cli.descriptions import space_text
    from replaylake.cli.json_text import json_text

    for name, (before, after) in changes.items():
        column = name.removeprefix("extras.")
        if column != name:
            yield f"  a new column {column}: {space_text(new.extras[column])}"
            continue
        was, now = (
            value if isinstance(value, str) else json_text(value, indent=None) for value in (before, after)
        )
        if before is None:
            yield f"  {name}: {now}"
        else:
            yield f"  {name}: {'not set any more' if after is None else now} (it was {was})"
