"""Whole answers, kept until a file of the archive's steps changes: asked again, nothing is put together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from lake.statistics.cache import FORMAT
from lake.statistics.kept import ANSWERS, FOLDER, Kept
from lake.statistics.partitions import Partition
from lake.statistics.results import ArchiveStatistics
from lake.stores import Store
from schemas.errors import StorageError


@cache
def _form() -> TypeAdapter[ArchiveStatistics]:
    """Return what reads and writes answers; to make it takes longer than to use it."""
    return TypeAdapter(ArchiveStatistics)


def kept_answer(
    store: Store, parts: Sequence[Partition], asked: Sequence[Any], make: Callable[[], ArchiveStatistics]
) -> ArchiveStatistics:
    """Return the answer to a question about these files, or make it, and keep it where the store lets us.

    Those to questions about other files are removed then.
    """
    folder = f"{FOLDER}/{ANSWERS}"
    state = _hash([FORMAT, *(part.date for part in parts), *(part.key for part in parts)])
    name = f"{state}.{_hash(asked)}"
    with suppress(FileNotFoundError, ValueError):  # of another version of ours
        kept = Kept.from_bytes(store.read(f"{folder}/{name}"))
        if kept is not None:
            return _form().validate_json(kept.data)
    made = make()
    with suppress(StorageError, OSError):
        store.write(f"{folder}/{name}", Kept(made.version, made.rows, _form().dump_json(made)).to_bytes())
        for other in store.names(folder):
            if not other.startswith(state):
                store.remove(f"{folder}/{other}")
    return made


def _hash(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:32]
