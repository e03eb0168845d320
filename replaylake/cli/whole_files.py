"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from schemas.errors import StorageError, UsageError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place, durably, when all is written; a failure leaves what was there.

    A pipe or a device is written as it is. Raise UsageError for a folder, and StorageError with the reason
    where the system refuses.
    """
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder.", hint="Name a file in it.")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        with _beside(path.resolve()) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise StorageError(
            f"The file {str(path)!r} cannot be written: {exc.strerror or exc}.",
            hint="Check that its folder exists, is writable and has room.",
        ) from exc


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
