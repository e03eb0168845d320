"""`replaylake validate init`: propose a suite for an archive, with the evidence beside each rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from lake import Archive
    from validation import Suite


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        init,
        example="""
            replaylake validate init cartpole --output rules.yaml
            replaylake validate init cartpole --from cartpole-0123456789ab --apply
        """,
    )


def init(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the suite there; YAML by its ending, else JSON."
        ),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option("--from", metavar="ID", help="Look at this snapshot, not at all steps of now."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Judge the archive's steps by the suite from now on.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the file, or over the archive's suite.")
    ] = False,
) -> None:
    """Propose a suite from the archive's spec and from what its steps are like, which should be good ones.

    What the spec rules out is critical and rejects. What was only never seen is a warning: it flags. The
    evidence stands beside each rule, and in its meta in the file. Of very many steps some whole episodes are
    looked at.
    """
    from replaylake.cli.validate_tables import proposal_table
    from replaylake.flows.validating import propose

    archive = run.lake.archive(name)
    _check_free(archive, output, apply=apply, force=force)
    suite = propose(run.lake, archive, snapshot)
    if output is not None:
        _write(suite, output)
    if apply:
        from validation import Gate

        Gate(archive.spec, suite)
        archive.change_suite(suite.to_dict())
    run.answer(suite.to_dict(), proposal_table(suite))
    seen = suite.other["meta"]["proposed_from"]
    run.say(f"{len(suite.expectations)} rules, from {seen['rows']:,} steps of {seen['episodes']:,} episodes.")
    if "note" in seen:
        run.say(seen["note"])
    if apply:
        run.say(f"{name} is judged by {suite.name} from now on.")
    elif output is not None:
        run.suggest("validate", "shadow", name, "--suite", str(output))
    else:
        run.suggest("validate", "init", name, "--output", f"{name}.yaml")


def _check_free(archive: Archive, output: Path | None, *, apply: bool, force: bool) -> None:
    """Refuse before anything is done, not after."""
    from schemas.errors import AlreadyExistsError

    if force:
        return
    if output is not None and output.exists():
        raise AlreadyExistsError("file", str(output), hint="Name another one, or give --force.")
    if apply and archive.suite is not None:
        raise AlreadyExistsError("suite", archive.suite["name"], hint="Give --force to take another one.")


def _write(suite: Suite, path: Path) -> None:
    from replaylake.cli.json_text import json_text
    from replaylake.cli.whole_files import whole_file

    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    text = _as_yaml(suite) if is_yaml else f"{json_text(suite.to_dict())}\n"
    with whole_file(path) as file:
        file.write(text.encode())


def _as_yaml(suite: Suite) -> str:
    """Return the suite with the evidence of each rule above it, as a comment."""
    import yaml

    document = suite.to_dict()
    rules = document.pop("expectations")
    lines = [yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "expectations:\n"]
    for rule in rules:
        seen = " ".join(str(rule.get("meta", {}).get("evidence", "")).split())
        lines.append(f"# {seen}\n")
        lines.append(yaml.safe_dump([rule], sort_keys=False, allow_unicode=True, default_flow_style=None))
    return "".join(lines)
