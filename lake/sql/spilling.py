"""Private folders for what a query cannot hold in memory: after a kill the next query removes them."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

_PREFIX = "replaylake-query-"
_LOCK = "lock"
_TRIES = 5


class SpillFolder:
    """A folder for this user alone, held by a lock as long as its process lives, or until it is removed."""

    def __init__(self) -> None:
        """Make it, and remove those of killed processes; raise OSError where there is no room for any."""
        _sweep()
        self.path, self._lock = _made()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _made() -> tuple[Path, int | None]:
    for _ in range(_TRIES):  # one that is not held yet may be swept by another
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _held(path)
        if lock is not None:
            return path, lock
    raise FileNotFoundError(f"Folders in {tempfile.gettempdir()} go away as soon as they are made.")


def _sweep() -> None:
    """Remove the folders of this user that no process holds."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = path.lstat()
        except OSError:
            continue
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            continue
        lock = _held(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _held(path: Path) -> int | None:
    """Lock a folder, and return the lock; None where it is gone, or another has it.

    The file of the lock is looked at again afterwards: it may have been removed by who held it before.
    """
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), (path / _LOCK).stat()):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
