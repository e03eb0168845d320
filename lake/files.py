"""The lake's own metadata: JSON objects in files that are whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lake.stores import Store
from schemas.errors import StorageError


def write_json(store: Store, name: str, content: Mapping[str, Any]) -> None:
    """Write JSON durably: a reader, also after a crash, sees the old content or the new one."""
    store.write(name, _encoded(content))


def write_json_once(store: Store, name: str, content: Mapping[str, Any]) -> bool:
    """Write JSON likewise unless the file is there: of several writers the first one's stays."""
    return store.write_once(name, _encoded(content))


def read_json(store: Store, name: str) -> dict[str, Any]:
    """Read JSON; raise StorageError where the file does not read, FileNotFoundError where it is not there."""
    try:
        content = json.loads(store.read(name).decode())
    except ValueError as exc:
        raise StorageError(
            f"The file {store.uri(name)} does not read: {exc}.", hint="Restore it from a copy."
        ) from exc
    if not isinstance(content, dict):
        raise StorageError(
            f"The file {store.uri(name)} is not a JSON object.", hint="Restore it from a copy."
        )
    return content


def _encoded(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
