"""`replaylake algorithms`: what a learner can be, and what can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(app, algorithms, example="replaylake algorithms")


def algorithms(run: Run) -> None:
    """List the algorithms, and the settings that `replaylake train` takes as KEY=VALUE."""
    import training

    document = [
        {"name": found.name, "summary": found.summary, "settings": _settings(found)}
        for found in training.algorithms()
    ]
    run.answer(document, *(part for entry in document for part in _shown(entry)))


def _settings(algorithm: Any) -> list[dict[str, Any]]:
    defaults = algorithm.config().model_dump(mode="json") | dict(algorithm.defaults)
    return [
        {"name": name, "default": defaults[name], "description": field.description or ""}
        for name, field in algorithm.config.model_fields.items()
    ]


def _shown(entry: dict[str, Any]) -> tuple[Text, Table]:
    from rich.text import Text

    shown = table("setting", "default", "what it is", numbers=("default",))
    for setting in entry["settings"]:
        shown.add_row(*(Text(str(setting[key])) for key in ("name", "default", "description")))
    return Text.assemble("\n", (entry["name"], "bold green"), "  ", entry["summary"], "\n"), shown
