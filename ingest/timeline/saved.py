"""Saved states: how far each partition has been read, and what was held there, in one file each."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from schemas.errors import StorageError, UsageError
from schemas.protocols import Partition, Topic

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """Hold where the reading of a partition goes on, and the state of its timeline."""

    position: int  # the next offset
    state: bytes


class SavedStates:
    """Keep the states of one topic's partitions in a folder, for one archive and one mapping.

    A file is written whole or not at all, and is durable when `save` returns. A topic that is made again
    has another id, and begins anew.
    """

    def __init__(self, folder: Path, topic: Topic, fingerprint: str) -> None:
        """Keep states in a folder; `fingerprint` identifies all that decides what events become."""
        self._folder = folder
        self._topic = topic
        self._fingerprint = fingerprint

    def load(self, partition: Partition) -> Saved | None:
        """Return what was saved; None where nothing was.

        Raise UsageError where it was made by another mapping or spec, StorageError where it does not read.
        """
        opened = self._open(partition)
        if opened is None:
            return None
        head, file = opened
        with file, _errors(f"read {file.name}"):
            return Saved(head["position"], file.read())

    def position(self, partition: Partition) -> int:
        """Return the next offset as saved by whoever; 0 where nothing was."""
        opened = self._open(partition)
        if opened is None:
            return 0
        head, file = opened
        file.close()
        return int(head["position"])

    def _open(self, partition: Partition) -> tuple[dict[str, Any], BinaryIO] | None:
        """Open a partition's file behind its first line, which says what it is."""
        path = self._path(partition)
        try:
            with _errors(f"read {path}"):
                file = path.open("rb")
        except _AbsentError:
            return None
        with ExitStack() as unless_right:
            unless_right.enter_context(file)
            head = _head(file.readline())
            if head is None or head["format"] != _FORMAT:
                raise StorageError(
                    f"The state {path} does not read.",
                    hint="Delete it: its partition is then read from its start, and no step is doubled.",
                )
            if head["fingerprint"] != self._fingerprint:
                raise UsageError(
                    f"The mapping or the archive has changed since {path} was saved.",
                    hint="Sessions are open there: go on with the old one, build into a fresh archive, or "
                    f"delete the folder {self._folder}, and the topic is read from its start.",
                )
            unless_right.pop_all()
        return head, file

    def save(self, partition: Partition, saved: Saved) -> None:
        """Write a state, unless one that is further on is there already."""
        if self.position(partition) > saved.position:
            return  # somebody has taken over: what we hold, they have sent as well
        path = self._path(partition)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        head = {"format": _FORMAT, "fingerprint": self._fingerprint, "position": saved.position}
        with _errors(f"write {path}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(json.dumps(head).encode() + b"\n")
                    file.write(saved.state)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            _sync(self._folder)

    def _path(self, partition: Partition) -> Path:
        return self._folder / f"{self._topic.id}-{partition.number}.state"


class _AbsentError(Exception):
    """Say that there is no such file."""


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise _AbsentError from exc
    except OSError as exc:
        raise StorageError(
            f"Cannot {what}: {exc.strerror or exc}.",
            hint="Check that the folder is writable and has room.",
        ) from exc


def _head(line: bytes) -> dict[str, Any] | None:
    try:
        head = json.loads(line)
    except ValueError:
        return None
    fits = isinstance(head, dict) and {"format", "fingerprint", "position"} <= head.keys()
    return head if fits else None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
