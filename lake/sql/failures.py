"""What the engine says, in our words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import duckdb

from lake.views import is_gone, unreadable
from schemas.errors import QueryError, StorageError

VIEWS = ("steps", "transitions", "quarantine", "quarantine_all", "episodes")
_KIND = re.compile(r"^(\w+ )+Error: ")
_CANDIDATES = re.compile(r"Candidate bindings: (.*)")
_TORN = re.compile("No magic bytes|Invalid parquet|TProtocolException", re.IGNORECASE)


def query_error(
    exc: Exception, names: Sequence[str] = (), *, columns: Sequence[str] = ()
) -> QueryError | StorageError:
    """Return the error for what the engine refused.

    `names` are the archives that there are, and `columns` those of the views that were asked for.
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
    if isinstance(exc, duckdb.Error) and (
        isinstance(exc, duckdb.IOException | duckdb.HTTPException) or is_gone(text) or _TORN.search(text)
    ):
        return unreadable(exc)
    if isinstance(exc, duckdb.PermissionException):
        return QueryError(
            "The query reads what is not the lake's.", hint="Views of archives are all there is."
        )
    hint = _near_columns(text, columns)
    if not hint and isinstance(exc, duckdb.CatalogException | duckdb.BinderException) and names:
        hint = views_hint(names)
    said = _KIND.sub("", text.partition("\nCandidate")[0])
    return QueryError(" ".join(said.split()).rstrip(".!") + ".", hint=hint)


def views_hint(names: Sequence[str]) -> str:
    """Name the views that there are."""
    if not names:
        return "There is no archive in the lake yet."
    return f"There are the views {', '.join(f'{name}.{view}' for name in names for view in VIEWS)}."


def unknown_table(path: Sequence[str], names: Sequence[str]) -> QueryError:
    """Return the error for a table that is none, with what was probably meant."""
    name = ".".join(path)
    if len(path) == 2 and path[0].lower() not in names:
        near = difflib.get_close_matches(path[0].lower(), names, n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        return QueryError(f"There is no archive {path[0]!r}.", hint=f"{meant}{views_hint(names)}")
    near = difflib.get_close_matches(name.lower(), [f"{own}.{view}" for own in names for view in VIEWS], n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return QueryError(f"There is no view {name!r}.", hint=f"{meant}{views_hint(names)}")


def _near_columns(text: str, columns: Sequence[str]) -> str:
    missing = re.search(r'column (?:named )?"([^"]+)"', text)
    if not missing:
        return ""
    near = difflib.get_close_matches(missing[1].rpartition(".")[2], columns, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    found = _CANDIDATES.search(text)
    return f"Near it are {found[1]}." if found else ""
