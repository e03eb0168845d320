"""Folders that are built aside: of our own while we live, and swept away after a process that died."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OLD = ".old-"  # what begins so is to be removed
_MAKING = ".making-"


@contextmanager
def making_in(folder: Path) -> Iterator[Path]:
    """Give a folder of our own to build in; those of processes that died are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _sweep(folder)
        aside = Path(tempfile.mkdtemp(prefix=_MAKING, dir=folder))
        held = _lock(_lock_of(aside), wait=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        _lock_of(aside).unlink(missing_ok=True)
        if held is not None:
            os.close(held)


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_OLD}*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"{_MAKING}*"):
        if path.is_dir():
            held = _lock(_lock_of(path), wait=False)
            if held is not None:
                shutil.rmtree(path, ignore_errors=True)
                _lock_of(path).unlink(missing_ok=True)
                os.close(held)


def take_away(folder: Path) -> None:
    """Remove a folder, at once for whoever looks for it; lock the one that it is in before."""
    old = Path(tempfile.mkdtemp(prefix=_OLD, dir=folder.parent))
    folder.replace(old)
    shutil.rmtree(old)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change what is in a folder."""
    held = _lock(folder / ".lock", wait=True)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _lock_of(aside: Path) -> Path:
    return aside.with_name(f"{aside.name}.lock")


def _lock(path: Path, *, wait: bool) -> int | None:
    """Lock a file until its descriptor is closed; None where another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
