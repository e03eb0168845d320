"""`replaylake validate audit`: what is wrong with the steps that landed since the last audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from validation.audits.propensities import Policy

OutlierMethod = Literal["mad", "zscore", "iqr", "isolation_forest", "none"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        audit,
        example="""
            replaylake validate audit cartpole
            replaylake validate audit cartpole --reference cartpole-0123456789ab --full
            replaylake validate audit cartpole --constraint 'on_track=abs(x) < 2.4' --let x=observation[0]
        """,
    )


def audit(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    reference: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Compare with this snapshot of good steps, from now on."),
    ] = None,
    no_reference: Annotated[
        bool, typer.Option("--no-reference", help="Compare with the snapshot of earlier audits no more.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Look at all steps again, not at new ones only.")
    ] = False,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION", help="The policy that acted: observations to probabilities of actions."
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=EXPR", help="What every step has to meet; as often as needed."),
    ] = None,
    let: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ELEMENT", help="What an element is called there: x=observation[0]."),
    ] = None,
    outliers: Annotated[OutlierMethod, typer.Option(help="How outliers are told.")] = "mad",
) -> None:
    """Look at the steps that landed since the last audit, and at all of their episodes; say what is wrong.

    The episodes are in the view NAME.episodes then, and the report is kept. Leaves with 1 where something
    critical was found, and with 0 where not. Where nothing is new, the last report is shown again.

    An expression of --constraint is about a step and, by previous_ and following_, its neighbours; --let
    gives names to elements.
    """
    from replaylake.cli.validate_tables import audit_shown
    from replaylake.flows.auditing import NO_REFERENCE, audit_archive
    from schemas.errors import UsageError

    if reference is not None and no_reference:
        raise UsageError("--reference and --no-reference were given.", hint="Leave one of them out.")
    run.lake.archive(name)
    with progress("Auditing"):
        report = audit_archive(
            run.lake,
            name,
            reference=NO_REFERENCE if no_reference else reference,
            policy=None if policy is None else _load(policy),
            constraints=_named(constraint or (), "constraint", "'low=abs(x) < 2.4'"),
            names=_named(let or (), "name", "x=observation[0]"),
            full=full,
            outliers=None if outliers == "none" else outliers,
        )
    run.answer(report.to_dict(), *audit_shown(report))
    if report.episodes:
        run.suggest("query", f"select * from {name}.episodes where len(flags) > 0")  # noqa: S608
    if any(finding.severity == "critical" for finding in report.findings):
        raise typer.Exit(1)


def _named(words: Sequence[str], what: str, example: str) -> dict[str, str]:
    from schemas.errors import UsageError

    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier() or not text.strip():
            raise UsageError(f"The {what} {word!r} is not NAME=TEXT.", hint=f"Write it such as {example}.")
        if name in found:
            raise UsageError(f"The {what} {name!r} is given twice.", hint="Leave one of them out.")
        found[name] = text
    return found


def _load(path: str) -> Policy:
    """Import a function; one in the working folder is found, too."""
    import importlib
    import os
    import sys

    from schemas.errors import UsageError

    module, colon, function = path.partition(":")
    if not colon or not module or not function:
        raise UsageError(f"The policy {path!r} is not MODULE:FUNCTION.", hint="Such as: mine.policies:greedy")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as exc:  # whatever the module does when it is imported
        raise UsageError(
            f"The policy {path!r} cannot be loaded: {type(exc).__name__}: {exc}.",
            hint="Name a module that Python finds, or one in this folder, and a function in it.",
        ) from exc
    finally:
        sys.path.remove(os.getcwd())
    if not callable(found):
        raise UsageError(f"The policy {path!r} is a {type(found).__name__}, not a function.")
    policy: Policy = found
    return policy
