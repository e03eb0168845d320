"""`replaylake validate shadow`: what another suite would change, before it is switched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replaylake.cli.console import table
from replaylake.cli.json_text import json_text, plain
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_text
from replaylake.cli.signals import stopped_by_signals
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from replaylake.flows.shadow_report import RuleChange, ShadowReport

_CELL = 60  # characters of an example's values


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        shadow,
        example="""
            replaylake validate shadow cartpole --suite stricter.json
            replaylake validate shadow cartpole --suite stricter.json --rows 100000 --follow
        """,
    )


def shadow(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    suite: Annotated[Path, typer.Option(metavar="FILE", help="The suite that is not in force yet.")],
    rows: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The newest rows only, about so many.")
    ] = None,
    since: Annotated[
        int, typer.Option(metavar="VERSION", min=-1, help="What landed after this version of the steps.")
    ] = -1,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what lands, until Ctrl-C or SIGTERM.")
    ] = False,
) -> None:
    """Judge what has landed by another suite, beside the archive's own, and show what would change.

    Both tables are looked at: steps that the other suite would reject, and rows of quarantine that it would
    accept. Nothing is written. Aggregates, and rules of severity info, judge no row and change nothing here.
    """
    from replaylake.flows.shadowing import shadow as look
    from replaylake.flows.shadowing import shadow_follow
    from validation import Suite

    proposed = Suite.load(suite)
    if follow:
        with stopped_by_signals() as stop:
            run.say("Following the archive; Ctrl-C stops, and shows what was found.")
            found = shadow_follow(
                run.lake,
                name,
                proposed,
                stop=stop,
                rows=rows,
                since=since,
                on_look=lambda so_far: run.say(_line(so_far)),
            )
    else:
        with progress("Judging") as told:
            found = look(
                run.lake,
                name,
                proposed,
                rows=rows,
                since=since,
                on_progress=lambda so_far: told(so_far.judged, f"{so_far.judged:,} rows"),
            )
    run.answer(found.to_dict(), *_shown(found))
    if found.present.hash == found.proposed.hash:
        run.say("Both judge alike: there is nothing to switch.")
    else:
        run.suggest("archive", "suite", name, str(suite))


def _line(found: ShadowReport) -> str:
    counts = ", ".join(f"{rows:,} {_words(change)}" for change, rows in found.totals.items())
    return f"Version {found.version}: {found.judged:,} rows judged, {counts}."


def _shown(found: ShadowReport) -> list[RenderableType]:
    suites = table("", "present", "proposed", numbers=("present", "proposed"))
    both = (found.present, found.proposed)
    suites.add_row("suite", *(_text(one.name) for one in both))
    suites.add_row("hash", *(one.hash for one in both))
    suites.add_row("rules that judge rows", *(f"{one.rules:,}" for one in both))
    suites.add_row("rows accepted", *(f"{count:,}" for count in found.accepted.values()))
    suites.add_row("  flagged", *(f"{count:,}" for count in found.flagged.values()), style="dim")
    suites.add_row("mean quality", *(_score(score) for score in found.quality.values()))
    looked = f"Looked at {found.steps:,} steps and {found.quarantined:,} rows of quarantine"
    if found.unjudged:
        looked += f"; {found.unjudged:,} more in quarantine are there for what no suite decides"
    parts: list[RenderableType] = [suites, "", f"{looked}.", ""]
    if not found.changes:
        return [*parts, "No row would be judged otherwise."]
    changes = table("", "rows", "for example", "values", numbers=("rows",))
    shown = ""
    for change in found.changes:
        if change.change != shown:
            changes.add_row(_words(change.change), f"{found.totals[change.change]:,}", style="bold")
        shown = change.change
        says, values = _example(change)
        changes.add_row(_text(f"  {change.code}"), f"{change.rows:,}", says, values, style="dim")
    return [*parts, changes]


def _example(change: RuleChange) -> tuple[Any, Any]:
    if not change.examples:
        return "", ""
    first = change.examples[0]
    values = json_text(plain({**first.values, **dict(reversed(list(first.key.items())))}), indent=None)[1:-1]
    values = values if len(values) <= _CELL else f"{values[:_CELL]}…"
    return _text(first.says), _text(values)


def _words(change: str) -> str:
    return change.replace("_", " ")


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"


def _text(content: str) -> Text:
    """Return text that is no markup, whatever it says."""
    from rich.text import Text

    return Text(safe_text(content))
