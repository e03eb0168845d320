"""The prompt of `replaylake query`: SQL until a semicolon, with history and completion."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from replaylake.cli.failures import exit_code_of
from replaylake.cli.query_answer import Format, answer
from replaylake.cli.query_words import COMMANDS, QueryCompleter
from replaylake.cli.run import Run
from schemas.errors import ReplayLakeError, UsageError

if TYPE_CHECKING:
    from lake import QueryLimits

_HELP = """\
SQL ends with a semicolon; Enter goes on until then. Tab completes, and Up looks back.
.tables          the archives and their views
.schema VIEW     the columns of a view, such as cartpole.steps
.format FORM     how rows are shown: table, csv, json or ndjson
.exit            leave, as Ctrl-D does; Ctrl-C clears the line, or stops a query"""
INTERRUPTED = 130  # the code of what a person stopped
_SHOWN = ("table", "csv", "json", "ndjson")


class QueryPrompt:
    """Ask for SQL and answer it, until there is no more; an error does not end it."""

    def __init__(
        self, run: Run, values: dict[str, Any], limits: QueryLimits, form: Format, **session: Any
    ) -> None:
        """Take `session` for the library's own, such as where it reads from."""
        self._run = run
        self._values = values
        self._limits = limits
        self._form = form
        self._completer = QueryCompleter(run.lake.query_names())
        self._session: PromptSession[str] = PromptSession(
            history=open_history(),
            completer=self._completer,
            lexer=PygmentsLexer.from_filename("query.sql"),
            key_bindings=_keys(),
            multiline=True,
            complete_while_typing=False,
            prompt_continuation="      ... ",
            **session,
        )

    def ask(self) -> None:
        """Ask until Ctrl-D or .exit."""
        while True:
            try:
                text = self._session.prompt("replaylake> ").strip()
                if text == ".exit":
                    return
                if text:
                    self._answered(text)
            except KeyboardInterrupt:  # at the line, or once more while a query was being stopped
                continue
            except EOFError:
                return

    def _answered(self, text: str) -> None:
        """Answer, or say what is wrong; either way what landed meanwhile is known afterwards."""
        code = exit_code_of(lambda: self._do(text), as_json=False)
        if code == INTERRUPTED:
            self._run.say("Stopped.")
        with suppress(ReplayLakeError):  # of which the next query tells
            self._completer.names = self._run.lake.query_names()

    def _do(self, text: str) -> None:
        if text.startswith("."):
            self._command(*text.rstrip(";").split())
        else:
            answer(self._run, text, self._values, self._limits, self._form)

    def _command(self, name: str, *words: str) -> None:
        if name == ".tables" and not words:
            self._show("show tables")
        elif name == ".schema" and len(words) == 1:
            parts = words[0].split(".")
            self._show(f"select column_name, column_type from (describe {'.'.join(map(_quoted, parts))})")  # noqa: S608
        elif name == ".format" and len(words) == 1 and words[0] in _SHOWN:
            self._form = next(form for form in get_args(Format) if form == words[0])
        elif name not in COMMANDS:
            raise UsageError(f"There is no command {name!r}.", hint=".help names those that there are.")
        else:
            self._run.write(_HELP + "\n")

    def _show(self, sql: str) -> None:
        answer(self._run, sql, {}, self._limits, "table")


def ask_on_terminal(run: Run, values: dict[str, Any], limits: QueryLimits, form: Format) -> None:
    """Ask on the terminal until it ends."""
    run.say("SQL ends with a semicolon; .help says more, and Ctrl-D leaves.")
    QueryPrompt(run, values, limits, form).ask()


def open_history() -> History:
    """Open the history in the user's state folder, for this user alone; without one where it cannot be."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    file = Path(base) / "replaylake" / "query-history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        file.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


def _is_done(buffer: Buffer) -> bool:
    text = buffer.text.strip()
    return not text or text.startswith(".") or text.endswith(";")


def _keys() -> KeyBindings:
    keys = KeyBindings()

    def done() -> bool:
        from prompt_toolkit.application import get_app

        return _is_done(get_app().current_buffer)

    @keys.add("enter", filter=Condition(done))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _quoted(name: str) -> str:
    return '"' + name.strip('"').replace('"', '""') + '"'
