"""`replaylake config`: the settings, and where each comes from."""

from __future__ import annotations

import dataclasses
import re

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        config,
        settings=("stream",),
        example="""
            replaylake config
            REPLAYLAKE_LAKE=./other replaylake config --json
        """,
    )


def config(run: Run) -> None:
    """Show each setting, its value and where that comes from.

    Flags stand over the environment's REPLAYLAKE_..., that over the file replaylake.yaml (REPLAYLAKE_CONFIG
    names another), and that over the defaults.
    """
    from rich.text import Text

    from replaylake.settings import explain_settings

    settings = [
        dataclasses.replace(setting, value=_without_secret(setting.value))
        for setting in explain_settings(run.flags)
    ]
    shown = table("setting", "value", "from", "what it is", numbers=("value",))
    for setting in settings:
        value = f"{setting.value:,}" if isinstance(setting.value, int) else _text(setting.value)
        style = "dim" if setting.origin == "default" else ""
        texts = (setting.name, value, setting.origin, setting.description)
        shown.add_row(*(Text(text) for text in texts), style=style)
    run.answer([dataclasses.asdict(setting) for setting in settings], shown)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _without_secret(value: object) -> object:
    """Hide the password of a URL."""
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", value) if isinstance(value, str) else value
