"""`replaylake archive create | evolve | infer | list | show | stats | suite | versions`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from replaylake.cli.archive_evolve import evolve
from replaylake.cli.archive_infer import infer
from replaylake.cli.archive_stats import stats
from replaylake.cli.archive_versions import versions
from replaylake.cli.console import table
from replaylake.cli.descriptions import Holding
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="archive", help="Create archives, and look at them.")
    add_verb(
        group,
        create,
        example="""
            replaylake archive create cartpole --env CartPole-v1
            replaylake archive create arm --spec arm.yaml --suite arm-rules.json
        """,
    )
    add_verb(
        group,
        infer,
        example="""
            replaylake archive infer clicks.csv
            replaylake archive infer clicks.csv --name clicks --output proposed
        """,
    )
    add_verb(
        group,
        evolve,
        example="""
            replaylake archive evolve clicks --add campaign=text --add 'position={type: discrete, n: 20}'
            replaylake archive evolve clicks --spec clicks.yaml --dry-run
        """,
    )
    add_verb(group, list_, name="list", example="replaylake archive list")
    add_verb(group, show, example="replaylake archive show cartpole")
    add_verb(
        group,
        stats,
        example="""
            replaylake archive stats cartpole
            replaylake archive stats cartpole --since 2026-03-01 --by week --html cartpole.html
        """,
    )
    add_verb(group, suite, example="replaylake archive suite cartpole mended.json")
    add_verb(
        group,
        versions,
        example="""
            replaylake archive versions cartpole
            replaylake query "select count(*) from cartpole.steps at (version => 3)"
        """,
    )


def create(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and _.")],
    env: Annotated[
        str | None, typer.Option(metavar="ID", help="Read the spaces off this Gymnasium environment.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the spec from YAML or JSON.")
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Judge rows by this suite of Great Expectations' form."),
    ] = None,
) -> None:
    """Create an archive, by an environment or by a spec.

    A spec in YAML has at least the two spaces, such as:

    observation: {type: box, shape: [4], low: -1, high: 1}

    action: {type: discrete, n: 2}
    """
    from replaylake.cli.spec_files import checked_suite, find_spec

    found = find_spec(name, env, spec)
    content = None if suite is None else checked_suite(found, suite)
    archive = run.lake.create(name, spec=found, suite=content)
    run.answer(Holding.of(run.lake, archive).to_dict(), f"Created the archive {name} in {archive.store.url}.")
    run.suggest("publish", name, "FILE")


def list_(run: Run) -> None:
    """List the archives of the lake, with what they hold."""
    found = [Holding.of(run.lake, archive) for archive in run.lake.archives()]
    shown = table(
        "archive", "environment", "steps", "quarantined", "from", "to", numbers=("steps", "quarantined")
    )
    for held in found:
        shown.add_row(
            held.archive.name,
            held.archive.spec.environment or "",
            f"{held.steps:,}",
            f"{held.quarantined:,}",
            held.first_date,
            held.last_date,
        )
    run.answer([held.to_dict() for held in found], shown)


def show(run: Run, name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")]) -> None:
    """Show an archive: its spaces, its suite, how many rows it holds, and where."""
    held = Holding.of(run.lake, run.lake.archive(name))
    run.answer(held.to_dict(), held.table())
    if not held.steps:
        run.suggest("publish", name, "FILE")


def suite(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A suite of Great Expectations' form.")],
) -> None:
    """Judge rows by another suite from now on, in ingest and in replays; what has landed stays.

    The suite is compiled first, and stored only if it fits the archive.
    """
    from replaylake.cli.spec_files import checked_suite

    archive = run.lake.archive(name)
    content = checked_suite(archive.spec, file)
    archive.change_suite(content)
    rules = len(content.get("expectations", []))
    run.answer({"archive": name, "suite": content}, f"{name} is judged by {content['name']} ({rules} rules).")
    run.say("A worker that runs takes it within about a second.")
    run.suggest("quarantine", "replay", name, "--dry-run")
