"""Finding: from what a person names to files, in order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable

from ingest.sources.byte_stream import STDIN
from ingest.sources.formats import is_known
from schemas.errors import NotFoundError, UsageError

_WILD = "*?["


def find_files(paths: Iterable[str], *, any_name: bool = False) -> list[str]:
    """Return the files of the paths, each once, in the order of the paths, and of their names in a folder.

    A folder stands for the files in it and below, a pattern such as `logs/*.csv` for those that fit. Hidden
    files are left out of both, and those whose name tells no known format, unless `any_name`. Raise
    NotFoundError for what is not there, and UsageError where standard input is named twice.
    """
    named = list(paths)
    if named.count(STDIN) > 1:
        raise UsageError("Standard input is named twice.", hint="Give - once.")
    found = [file for path in named for file in _files_of(path, any_name)]
    return list(dict.fromkeys(found))


def _files_of(path: str, any_name: bool) -> list[str]:
    if path == STDIN or os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        below = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        found = [file for file in below if not _is_hidden(os.path.relpath(file, path))]
    elif any(sign in path for sign in _WILD):
        found = [file for file in glob.glob(path, recursive=True) if os.path.isfile(file)]
    else:
        _check(path)
        return [path]  # a pipe
    chosen = sorted(file for file in found if any_name or is_known(file))
    if not chosen:
        said = "file of a known format in" if os.path.isdir(path) else "file"
        raise NotFoundError(said, path, hint="Name the files, and say their --format.")
    return chosen


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split(os.sep))


def _check(path: str) -> None:
    """Raise an error for what is not there, or may not be looked at."""
    try:
        os.stat(path)
    except FileNotFoundError as exc:
        raise NotFoundError("file", path) from exc
    except OSError as exc:
        raise UsageError(f"The file {path!r} cannot be read: {exc.strerror}.") from exc
