"""The ledger: how far each file has been published, so that another run goes on there.

A file is known by what is in it, never by its name: it may be renamed, compressed or moved. What the ledger
says is written only after what it tells of is durable in the stream. Lost, it costs time and no more: what is
published again has the same ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.sources.places import Place
from schemas.errors import StorageError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Identify how a file began when it was met: many logs have their first record in common."""

    size: int
    digest: str

    @classmethod
    def of(cls, begins: bytes) -> Head:
        """Identify these bytes."""
        return cls(len(begins), hashlib.blake2b(begins, digest_size=8).hexdigest())

    def is_of(self, begins: bytes) -> bool:
        """Say whether a file that begins so now may be the one that was met."""
        return Head.of(begins[: self.size]) == self


@dataclass(slots=True, eq=False)
class Known:
    """Follow one file: where its reading stands, and since when it is known."""

    fingerprint: str
    path: str  # for people
    since: datetime  # what has no time of its own is taken to have happened then, on every reading
    entry: str  # the name of its file in the ledger; "" is not kept
    head: Head
    place: Place = field(default_factory=Place)


class Ledger:
    """Keep the progress of files into one target, such as an archive's topic; in memory without a folder."""

    def __init__(self, folder: Path | None, target: str) -> None:
        self._folder = folder
        self._target = hashlib.blake2b(target.encode(), digest_size=6).hexdigest()
        self._known: dict[str, list[Known]] = {}

    def find(self, fingerprint: str) -> Sequence[Known]:
        """Return the files that begin so, the furthest first; raise StorageError where the ledger is torn."""
        known = self._known.get(fingerprint)
        if known is None:
            known = self._known[fingerprint] = self._load(fingerprint)
        return sorted(known, key=lambda one: (-one.place.offset, one.entry))

    def add(self, fingerprint: str, path: str, begins: bytes = b"") -> Known:
        """Note a file that is new; it is written when it is saved."""
        entry = f"{fingerprint}-{self._target}-{secrets.token_hex(4)}.json"
        made = Known(fingerprint, path, datetime.now(UTC), entry, Head.of(begins))
        self._known.setdefault(fingerprint, []).append(made)
        return made

    def save(self, known: Known) -> None:
        """Write where a file stands, durably: a crash leaves the old place or the new one."""
        if self._folder is None or not known.entry:
            return
        content = {
            "format": _FORMAT,
            "fingerprint": known.fingerprint,
            "path": known.path,
            "since": known.since.isoformat(),
            "head": asdict(known.head),
            **asdict(known.place),
        }
        path = self._folder / known.entry
        partial = path.with_name(f".{path.name}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync(self._folder)
        except OSError as exc:
            raise StorageError(
                f"Cannot write {path}: {exc.strerror or exc}.",
                hint="What was published is safe; publish again to go on, once the folder can be written.",
            ) from exc

    def _load(self, fingerprint: str) -> list[Known]:
        if self._folder is None:
            return []
        return [_read(path) for path in sorted(self._folder.glob(f"{fingerprint}-{self._target}-*.json"))]


def unlisted(fingerprint: str, path: str) -> Known:
    """Return what is known of a source that can be read once only, and is not kept."""
    return Known(fingerprint, path, datetime.now(UTC), "", Head.of(b""))


def _read(path: Path) -> Known:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"it has format {content['format']!r}")
        place = Place(*(content[name] for name in Place.__slots__))
        since = datetime.fromisoformat(content["since"])
        head = Head(**content["head"])
        return Known(content["fingerprint"], content["path"], since, path.name, head, place)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StorageError(
            f"The file {path} does not read: {exc}.", hint="Remove it: its source is then published again."
        ) from exc


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
