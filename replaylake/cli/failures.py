"""From a failure to a line for people and an exit code: the one place where errors are translated.

Standard error gets `error: ...`, and the mend below it. With --json standard output gets, besides, the one
document {"error": {"kind", "message", "hint"}}, whose kind is the name of the error in `schemas.errors`.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from typer import TyperException

from replaylake.cli.console import error_console
from replaylake.cli.json_text import json_text
from schemas.errors import NotFoundError, ReplayLakeError, UsageError

_FAILED, _USED_WRONGLY, _INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, slots=True)
class _Failure:
    kind: str
    message: str
    hint: str
    code: int


def exit_code_of(action: Callable[[], Any], *, as_json: bool) -> int:
    """Run the action, and return the code to leave with; say what failed, unless a person stopped it."""
    try:
        code = action()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except Exception as exc:
        failure = _failure(exc)
        if failure.kind == "InternalError" and _wants_traceback():
            traceback.print_exception(exc)
    _say(failure, as_json)
    return failure.code


@contextmanager
def quiet_when_nobody_reads() -> Iterator[None]:
    """End without a word where the reader of standard output has gone, as `head` does when it has enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would fail once more when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failure(exc: Exception) -> _Failure:
    if isinstance(exc, TyperException):
        return _usage_failure(exc)
    if isinstance(exc, ReplayLakeError):
        code = _USED_WRONGLY if isinstance(exc, UsageError) else _FAILED
        return _Failure(type(exc).__name__, _one_line(exc.message), _hint(exc), code)
    return _Failure(
        "InternalError",
        f"Unexpected {type(exc).__name__}: {_one_line(str(exc)) or 'no message'}",
        "This is a fault of replaylake. Run it again with --log-level debug to see where it happened.",
        _FAILED,
    )


def _usage_failure(exc: TyperException) -> _Failure:
    """Say what typer found wrong with the arguments; where a verb is missing it has shown the help by now."""
    ctx = getattr(exc, "ctx", None)
    path = ctx.command_path if ctx is not None else "replaylake"
    if type(exc).__name__ == "NoArgsIsHelpError":
        return _Failure("UsageError", "", "", _USED_WRONGLY)
    message = _one_line(exc.format_message()).replace("Value error, ", "").rstrip(".")
    message = message.replace("does not match the formats '%Y-%m-%d'", "is no day such as 2026-03-31")
    return _Failure("UsageError", f"{message}{_given(exc, message)}.", f"See `{path} --help`.", _USED_WRONGLY)


def _given(exc: TyperException, message: str) -> str:
    """Name the value that does not fit, where typer leaves it out."""
    from pydantic import ValidationError

    cause = exc.__cause__
    if not isinstance(cause, ValidationError):
        return ""
    given = repr(cause.errors(include_url=False)[0]["input"])
    return "" if given in message else f" (given: {given})"


def _hint(exc: ReplayLakeError) -> str:
    near = difflib.get_close_matches(exc.name, exc.known, n=1) if isinstance(exc, NotFoundError) else []
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return f"{meant}{exc.hint}".rstrip()


def _one_line(message: str) -> str:
    """Leave out the lines that DuckDB draws to show a place in the SQL, and join the rest."""
    return " ".join(re.split(r"\n\s*LINE \d+:", message)[0].split())


def _say(failure: _Failure, as_json: bool) -> None:
    from rich.text import Text

    line = Text.assemble(("error: ", "bold red"), failure.message)
    shown = error_console()
    if failure.message:
        shown.print(line, soft_wrap=True)
    if failure.hint:
        shown.print(Text(failure.hint, style="dim"), soft_wrap=True)
    if as_json:
        error = {"kind": failure.kind, "message": failure.message, "hint": failure.hint}
        sys.stdout.write(json_text({"error": error}) + "\n")


def _wants_traceback() -> bool:
    return logging.getLogger("replaylake").isEnabledFor(logging.DEBUG)
