"""Completion at the prompt of `replaylake query`: what may stand where the cursor is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

if TYPE_CHECKING:
    from lake import QueryNames

COMMANDS = (".help", ".tables", ".schema", ".format", ".exit")
_WORD = re.compile(r"[\w.]*$")


class QueryCompleter(Completer):
    """Complete archives with their views, columns, functions and keywords, and the prompt's own commands."""

    def __init__(self, names: QueryNames) -> None:
        self.names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Return what begins as the word before the cursor does."""
        found = _WORD.search(document.text_before_cursor)
        word = found[0] if found else ""
        if not word:
            return
        for text in self._candidates(document, word):
            if text.lower().startswith(word.lower()) and text.lower() != word.lower():
                yield Completion(text, start_position=-len(word))

    def _candidates(self, document: Document, word: str) -> Iterable[str]:
        if word.startswith("."):
            return COMMANDS if document.text.strip() == word else ()
        if "." in word:
            return self.names.views
        names = self.names
        return (*names.columns, *names.archives, *names.functions, *names.keywords)
