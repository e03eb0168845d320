"""Run: what a verb is given to work with."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from replaylake.cli.console import console, error_console
from replaylake.cli.json_text import json_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lake import Lake
    from replaylake.settings import Settings


class Run:
    """Hold one call of the command: its settings, its lake, and where it says things.

    Answers go to standard output, and everything else to standard error. With --json the answer is one JSON
    document, and nothing is said beside it but errors and logs.
    """

    def __init__(self, flags: Mapping[str, Any], *, as_json: bool) -> None:
        """Read the settings and set up the logs; raise SettingsError for a value that cannot be."""
        from replaylake.logs import set_up_logs
        from replaylake.settings import load_settings

        self.flags = dict(flags)
        self.as_json = as_json
        self.settings: Settings = load_settings(self.flags)
        set_up_logs(self.settings.log_level, self.settings.log_format)

    @cached_property
    def lake(self) -> Lake:
        """The lake of the settings; it need not be there."""
        from lake import Lake
        from replaylake.settings import revealed

        return Lake(self.settings.lake, revealed(self.settings.lake_options))

    def answer(self, document: object, *shown: RenderableType) -> None:
        """Print what the verb found: the document with --json, and for people what is to be shown."""
        if self.as_json:
            self.write(json_text(document) + "\n")
            return
        for renderable in shown:
            console().print(renderable)

    def write(self, text: str) -> None:
        """Print text as it is, whatever its length and its brackets."""
        sys.stdout.write(text)

    def say(self, text: str) -> None:
        """Tell people on standard error what is going on."""
        if not self.as_json:
            error_console().print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def suggest(self, *words: str) -> None:
        """Tell people the command to go on with; it names the lake and the stream where this one did."""
        named = [
            part
            for name in ("lake", "stream")
            if name in self.flags
            for part in (f"--{name}", self.flags[name])
        ]
        self.say(f"Next: {shlex.join(['replaylake', *words, *named])}")
