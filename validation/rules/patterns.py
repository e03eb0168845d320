"""Patterns: regular expressions as Python reads them, run by an engine whose time grows with the text alone.

Python's own engine backtracks, and one pattern with one text can keep it busy for years. So a pattern is
parsed by Python, and written anew for Polars' engine, construct by construct, with Python's meaning. What no
such engine can do (looking around, references back, possessive repeats) is refused when a suite is loaded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.errors import SuiteError
from validation.wording import show

_LONGEST = 4000  # characters
_parser: Any = re._parser  # type: ignore[attr-defined]  # noqa: SLF001 (the one reader of Python's syntax)
_ASCII = {"DIGIT": "0-9", "SPACE": r"\t-\r\x20", "WORD": "0-9A-Z_a-z"}
_UNICODE = {"DIGIT": r"\d", "SPACE": r"\s\x1c-\x1f", "WORD": r"\p{L}\p{N}_"}
_REFUSED = {
    "ASSERT": "looks ahead or behind",
    "ASSERT_NOT": "looks ahead or behind",
    "GROUPREF": "refers back to a group",
    "GROUPREF_EXISTS": "refers back to a group",
    "ATOMIC_GROUP": "has an atomic group",
    "POSSESSIVE_REPEAT": "has a possessive repeat",
}


def translate(pattern: str) -> str:
    """Write a pattern of Python's `re` for Polars, to find out whether a text contains it.

    Raise SuiteError where Python does not compile it, or no engine could run it in time.
    """
    if len(pattern) > _LONGEST:
        raise SuiteError(
            f"the regex has {len(pattern)} characters; {_LONGEST} are allowed.", hint="Split it."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python may read otherwise one day
            re.compile(pattern)
            parsed = _parser.parse(pattern)
        translated = _Translation(parsed.state.flags).sequence(parsed, last=True)
    except re.error as exc:
        place = f" at character {exc.pos + 1}" if exc.pos is not None else ""
        raise SuiteError(
            f"the regex {show(pattern)} does not compile: {exc.msg}{place}.",
            hint="Write it as Python's re has it, and \\\\ for each \\ in JSON.",
        ) from exc
    except (RecursionError, OverflowError) as exc:
        raise SuiteError(f"the regex {show(pattern)} is too deep.", hint="Make it simpler.") from exc
    except _CannotRunError as exc:
        raise SuiteError(f"the regex {show(pattern)} {exc.what}.", hint=exc.hint) from None
    try:
        pl.Series([""], dtype=pl.String).str.contains(translated)
    except pl.exceptions.PolarsError as exc:
        raise SuiteError(
            f"the regex {show(pattern)} is too large to run.",
            hint="Repeat less, or less often within repeats.",
        ) from exc
    return translated


class _CannotRunError(Exception):
    def __init__(self, what: str, hint: str) -> None:
        self.what, self.hint = what, hint
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class _Translation:
    """Write what Python parsed under some flags.

    `last` says of a part that nothing of the pattern comes after it: only there may `$` take the line break
    that it looks ahead to.
    """

    flags: int

    def sequence(self, parts: Iterable[tuple[Any, Any]], *, last: bool) -> str:
        held = list(parts)
        return "".join(
            self._part(str(kind), value, last=last and number == len(held))
            for number, (kind, value) in enumerate(held, start=1)
        )

    def _part(self, kind: str, value: Any, *, last: bool) -> str:
        if kind in _REFUSED:
            raise _CannotRunError(
                f"{_REFUSED[kind]}, which no engine can do in bounded time",
                "Write it without, or as two expectations, such as match_regex and not_match_regex.",
            )
        match kind:
            case "LITERAL":
                return self._folded(_literal(value))
            case "NOT_LITERAL":
                return self._folded(f"[^{_literal(value)}]")
            case "ANY":
                return r"(?s:.)" if self._has(re.DOTALL) else r"[^\n]"
            case "IN":
                return self._folded(self._set(value))
            case "AT":
                return self._place(str(value), last=last)
            case "BRANCH":
                return f"(?:{'|'.join(self.sequence(branch, last=last) for branch in value[1])})"
            case "SUBPATTERN":
                _, added, removed, inner = value
                within = _Translation((self.flags | added) & ~removed)
                return f"(?:{within.sequence(inner, last=last)})"
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(*value, lazy=kind == "MIN_REPEAT", last=last)
            case "FAILURE":  # how Python writes an empty (?!)
                return r"[^\s\S]"
        raise _CannotRunError(f"has {kind.lower()}, which is not known here", "Write it without.")

    def _repeat(self, low: int, high: int, inner: Sequence[Any], *, lazy: bool, last: bool) -> str:
        unbounded = high is _parser.MAXREPEAT
        times = f"{{{low},{'' if unbounded else high}}}{'?' if lazy else ''}"
        return f"(?:{self.sequence(inner, last=last and not unbounded and high <= 1)}){times}"

    def _place(self, place: str, *, last: bool) -> str:
        many = self._has(re.MULTILINE)
        match place:
            case "AT_BEGINNING":
                return "(?m:^)" if many else r"\A"
            case "AT_BEGINNING_STRING":
                return r"\A"
            case "AT_END_STRING":
                return r"\z"
            case "AT_END" if many:
                return "(?m:$)"
            case "AT_END" if last:
                return r"(?:\n?\z)"
            case "AT_END":
                raise _CannotRunError(
                    "has a $ that is not at its end, which looks ahead to a last line break",
                    r"Write \Z for the end of the text, or put the $ last.",
                )
            case "AT_BOUNDARY":
                return r"(?-u:\b)" if self._has(re.ASCII) else r"\b"
            case "AT_NON_BOUNDARY" if not self._has(re.ASCII):
                return r"\B"
        raise _CannotRunError(r"has \B under (?a)", "Leave (?a) out.")

    def _set(self, items: Iterable[tuple[Any, Any]]) -> str:
        written, negated = [], ""
        for kind, value in items:
            match str(kind):
                case "NEGATE":
                    negated = "^"
                case "LITERAL":
                    written.append(_literal(value))
                case "RANGE":
                    written.append(f"{_literal(value[0])}-{_literal(value[1])}")
                case _:
                    written.append(self._category(str(value).removeprefix("CATEGORY_")))
        return f"[{negated}{''.join(written)}]"

    def _category(self, name: str) -> str:
        words = _ASCII if self._has(re.ASCII) else _UNICODE
        return f"[^{words[name[4:]]}]" if name.startswith("NOT_") else f"[{words[name]}]"

    def _folded(self, text: str) -> str:
        if not self._has(re.IGNORECASE):
            return text
        if self._has(re.ASCII):
            raise _CannotRunError("has (?a) and (?i) together", "Leave (?a) out.")
        return f"(?i:{text})"

    def _has(self, flag: re.RegexFlag) -> bool:
        return bool(self.flags & flag)


def _literal(code: int) -> str:
    return rf"\x{{{code:x}}}"
