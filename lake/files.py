"""Small files of a lake's own metadata, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import StorageError, UsageError

_MISREAD = re.compile(r"[%\\\x00-\x1f\x7f\ud800-\udfff]")


def check_folder(folder: Path) -> None:
    """Raise UsageError for a folder whose path the Delta library would read as another one's."""
    for path in (folder.absolute(), folder.resolve()):
        if _MISREAD.search(str(path)):
            raise UsageError(
                f"A lake cannot be in {str(path)!r}: % and \\ and control characters are not possible there.",
                hint="Give a folder without them.",
            )


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Translate an operating system's refusal into a StorageError that names the path."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise StorageError(
            f"Cannot {what}: {reason}.", hint="Check that the folder exists, is writable and has room."
        ) from exc


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON durably: a reader, also after a crash, sees the old file or the new one."""
    with storage_errors(f"write {path}"):
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with partial.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)


def write_json_once(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON durably unless the file is there already: of several writers, the first one's stays."""
    with storage_errors(f"write {path}"):
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        write_json(partial, content)
        try:
            os.link(partial, path)
        except FileExistsError:
            return
        finally:
            partial.unlink()
        sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """Read JSON; raise StorageError where the file does not read, FileNotFoundError where it is not there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise FileNotFoundError(str(path)) from exc
    except (OSError, ValueError) as exc:
        raise StorageError(f"The file {path} does not read: {exc}.", hint="Restore it from a copy.") from exc
    if not isinstance(content, dict):
        raise StorageError(f"The file {path} is not a JSON object.", hint="Restore it from a copy.")
    return content


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
