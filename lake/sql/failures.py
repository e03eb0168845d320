"""What the engine says, in our words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

import duckdb

from lake.views import is_gone, unreadable
from schemas.errors import QueryError, StorageError

VIEWS = ("steps", "transitions", "quarantine", "quarantine_all", "episodes")
_KIND = re.compile(r"^(\w+ )+Error: ")
_CANDIDATES = re.compile(r"Candidate bindings: (.*)")
_SIGNATURE = re.compile(r'^\t"?(\w+)"?(\(.*\))$', re.MULTILINE)
_NO_TABLE = re.compile("Table with name|Referenced table")
_NOT_GIVEN = re.compile("Values were not provided for the following parameters: (.*)")
_NOT_USED = re.compile("excess parameters: (.*)")
_COUNTS = re.compile(r"count mismatch.* Expected (\d+), got")
_MOST_VIEWS = 10
_TORN = re.compile("No magic bytes|Invalid parquet|TProtocolException", re.IGNORECASE)


def query_error(
    exc: Exception, names: Sequence[str] = (), *, columns: Sequence[str] = (), given: Collection[str] = ()
) -> QueryError | StorageError:
    """Return the error for what the engine refused.

    `names` are the archives that there are, `columns` those of the views that were asked for, and `given` the
    names of the parameters.
    """
    text = re.split(r"\n\s*LINE \d+:", str(exc).strip())[0]
    if isinstance(exc, duckdb.OutOfMemoryException | MemoryError):
        return QueryError(
            "The query needs more memory, or more room beside it, than it may use.",
            hint="Ask for fewer rows or columns, or allow more: --memory 8GB.",
        )
    if isinstance(exc, duckdb.InterruptException):
        return QueryError(
            "The query took longer than it may, and was stopped.",
            hint="Ask for less, or allow more time: --timeout 600.",
        )
    if isinstance(exc, RecursionError) or "Max expression depth" in text:
        return QueryError("The query is nested too deeply.", hint="Break it up, such as by WITH.")
    if isinstance(exc, duckdb.Error) and (
        isinstance(exc, duckdb.IOException | duckdb.HTTPException) or is_gone(text) or _TORN.search(text)
    ):
        return unreadable(exc)
    if isinstance(exc, duckdb.PermissionException):
        return QueryError(
            "The query reads what is not the lake's.", hint="Views of archives are all there is."
        )
    if found := _parameters_error(text, given) or _arguments_error(text):
        return found
    said, _, meant = text.partition("\nCandidate")[0].partition("\nDid you mean ")
    hint = _near_columns(text, columns) or (f"Did you mean {meant}" if meant else "")
    if isinstance(exc, duckdb.CatalogException | duckdb.BinderException) and names and _NO_TABLE.search(said):
        hint = views_hint(names)
    said = _KIND.sub("", said)
    return QueryError(" ".join(said.split()).rstrip(".!") + ".", hint=hint)


def views_hint(names: Sequence[str]) -> str:
    """Name the views that there are, some of them where there are many."""
    if not names:
        return "There is no archive in the lake yet."
    views = [f"{name}.{view}" for name in names for view in VIEWS]
    others = f" and {len(views) - _MOST_VIEWS} others: show tables" if len(views) > _MOST_VIEWS else ""
    return f"There are the views {', '.join(views[:_MOST_VIEWS])}{others}."


def not_given(signs: Sequence[str]) -> QueryError:
    """Return the error for parameters that have no value; those without a name are called by their places."""
    named = [sign for sign in signs if not sign.isdigit()]
    if not named:
        return QueryError(
            f"The query has a parameter {', '.join(signs)} without a name, and no value for it.",
            hint="Give a list of values, or name it, such as $n: --param n=VALUE.",
        )
    return QueryError(
        f"No value is given for {' and '.join(f'${name}' for name in named)}.",
        hint=f"Give it: {' '.join(f'--param {name}=VALUE' for name in named)}.",
    )


def unknown_table(path: Sequence[str], names: Sequence[str]) -> QueryError:
    """Return the error for a table that is none, with what was probably meant."""
    name = ".".join(path)
    if len(path) == 2 and path[0].lower() not in names:
        near = difflib.get_close_matches(path[0].lower(), names, n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        return QueryError(f"There is no archive {path[0]!r}.", hint=f"{meant}{views_hint(names)}")
    if len(path) == 2:
        names = [path[0].lower()]
    near = difflib.get_close_matches(name.lower(), [f"{own}.{view}" for own in names for view in VIEWS], n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return QueryError(f"There is no view {name!r}.", hint=f"{meant}{views_hint(names)}")


def _parameters_error(text: str, given: Collection[str]) -> QueryError | None:
    """Return the error where the parameters and their values are not the same."""
    if missing := _NOT_GIVEN.search(text):
        return not_given(missing[1].split(", "))
    counts = _COUNTS.search(text)
    unused = _NOT_USED.search(text)
    names = unused[1].split(", ") if unused else sorted(given) if counts and counts[1] == "0" else []
    if names and not any(name.isdigit() for name in names):
        return QueryError(
            f"The query has no {' and no '.join(f'${name}' for name in names)}.",
            hint=f"Write ${names[0]} into it, or leave out --param {names[0]}=VALUE.",
        )
    return QueryError("More values are given than the query takes.") if counts or unused else None


def _arguments_error(text: str) -> QueryError | None:
    """Return the error where a function of ours does not take what it is given."""
    if "Macro " not in text or "does not support the supplied arguments" not in text:
        return None
    found = _SIGNATURE.findall(text)
    if not found:
        return None
    shown = " or ".join(f"{name}{parameters}" for name, parameters in found)
    return QueryError(f"{found[0][0]}() does not take these arguments.", hint=f"Say {shown}.")


def _near_columns(text: str, columns: Sequence[str]) -> str:
    missing = re.search(r'column (?:named )?"([^"]+)"', text)
    if not missing:
        return ""
    near = difflib.get_close_matches(missing[1].rpartition(".")[2], columns, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    found = _CANDIDATES.search(text)
    return f"Near it are {found[1]}." if found else ""
