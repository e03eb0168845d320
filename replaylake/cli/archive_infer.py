"""`replaylake archive infer`: look at a file, and propose an archive for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType

    from replaylake.flows.inferring import Proposal


def infer(
    run: Run,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSON, NDJSON, Parquet or Avro.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the archive is to be called.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write mapping.yaml, spec.yaml and suite.json there."),
    ] = None,
) -> None:
    """Propose the mapping, the spec and the suite for a file of records, with the evidence.

    The first 10,000 records are looked at. Nothing is written but by --output, and never over a file that
    is there. What could not be decided is a line to fill in: the mapping does not load before it is.
    """
    from replaylake.flows.inferring import infer as infer_file

    proposal = infer_file(file, name=name)
    written = [] if output is None else _write(proposal, output)
    run.answer({**proposal.to_dict(), "written": [str(path) for path in written]}, *_shown(proposal, written))
    if output is not None and not proposal.undecided:
        spec, suite = str(output / "spec.yaml"), str(output / "suite.json")
        run.suggest("archive", "create", proposal.name, "--spec", spec, "--suite", suite)
        run.suggest("publish", proposal.name, file, "--mapping", str(output / "mapping.yaml"), "--dry-run")


def _write(proposal: Proposal, folder: Path) -> list[Path]:
    from replaylake.cli.whole_files import whole_file
    from schemas.errors import AlreadyExistsError, UsageError

    files = {folder / name: text for name, text in proposal.files().items()}
    for path in files:
        if path.exists():
            raise AlreadyExistsError("file", str(path), hint="Name another folder by --output.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"The folder {str(folder)!r} cannot be made: {exc.strerror}.") from exc
    for path, text in files.items():
        with whole_file(path) as file:
            file.write(text.encode())
    return list(files)


def _shown(proposal: Proposal, written: list[Path]) -> list[RenderableType]:
    from rich.text import Text

    made = table("column", "from", "because")
    for one in proposal.evidence:
        made.add_row(Text(one.column), Text(one.field), Text(one.why))
    shown: list[RenderableType] = [Text(f"{proposal.records:,} records of {proposal.path} say:"), "", made]
    for note in proposal.notes:
        shown += ["", Text(f"Note: {note}")]
    if proposal.trial is not None:
        trial = proposal.trial
        made_no_row = f", {trial.unmapped:,} make no row" if trial.unmapped else ""
        refused = f", {trial.rejected:,} the gate refuses" if trial.rejected else ""
        shown += ["", Text(f"By this proposal {trial.accepted:,} rows land{refused}{made_no_row}.")]
    if proposal.undecided:
        shown += ["", Text("For you to fill in:", style="bold")]
        shown += [Text(f"  {question}") for question in proposal.undecided]
    if written:
        shown += ["", Text(f"Written: {', '.join(map(str, written))}")]
    else:
        files = proposal.files()
        shown += [
            part
            for name in ("mapping.yaml", "spec.yaml")
            for part in ("", Text(f"--- {name}"), Text(files[name]))
        ]
    return shown
