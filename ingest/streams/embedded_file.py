"""The file of the embedded stream: its tables, its transactions, and its refusals in our words.

SQLite before 3.51.3 can lose a committed transaction when a checkpoint of the write-ahead log races a
commit and another checkpoint (the WAL-reset bug), and it is what most Pythons bring. So here nobody
checkpoints on his own: a lock file is held around every write, and checkpoints run only under it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import NotFoundError, StreamError

FILE_NAME = "stream.sqlite"
LOCK_NAME = "stream.lock"
# A message's id is (partition's key << OFFSET_BITS) | offset: one b-tree, in which a partition is a range.
OFFSET_BITS = 40
_APPLICATION_ID = 0x72706C6B  # "rplk": this file is ours
_FORMAT = 1
_PAGE_BYTES = 16384  # messages are often whole batches; small ones do not mind
_CACHE_KIB = 16384
_CHECKPOINT_BYTES = 16 << 20
_CHECKPOINT_WAIT_MS = 200  # for readers to finish
_TABLES = """
CREATE TABLE topics (name TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so a topic made again finds nothing old
    topic TEXT NOT NULL, number INTEGER NOT NULL,
    earliest INTEGER NOT NULL DEFAULT 0, end INTEGER NOT NULL DEFAULT 0,
    timestamp_ms INTEGER NOT NULL DEFAULT 0,  -- of the last append: time never goes back
    UNIQUE (topic, number));
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, key BLOB, value BLOB NOT NULL, headers BLOB);
CREATE TABLE groups (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so an expelled member knows that it was
    name TEXT NOT NULL, topics TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE positions (
    name TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (name, partition)) WITHOUT ROWID;
"""


class StreamFile:
    """Hold one connection to the stream's file. Threads may share it; they wait for one another.

    `durable=False` does not wait for the disk: for heartbeats, which may get lost with the power.
    """

    def __init__(self, folder: Path, *, create: bool, durable: bool, busy_timeout: float) -> None:
        self.path = folder / FILE_NAME
        self._wal = folder / (FILE_NAME + "-wal")
        self._busy_timeout = busy_timeout
        self._checkpoint_at = _CHECKPOINT_BYTES
        self._threads = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._lock = -1
        if not create and not self.path.exists():
            raise NotFoundError("stream", str(self.path), hint="Publish something first, or check the path.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as exc:
            raise StreamError(
                f"The stream's folder {folder} cannot be written: {exc.strerror}.",
                hint="Give a folder that you may write to, or a stream URL.",
            ) from exc
        try:
            with self._refusals():
                self._db = self._connect(durable)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file. Closing twice is harmless."""
        with self._threads:
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._db.close()
                self._db = None
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def version(self) -> int:
        """Return a number that differs whenever another connection has committed."""
        with self._threads, self._refusals():
            return int(self._open().execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read in one snapshot. Never waits for writers."""
        with self._threads, self._refusals():
            db = self._open()
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, durable at the end; on an exception nothing of it was written."""
        with self._threads, self._refusals():
            db = self._open()
            with self._locked():
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.commit()
                except BaseException:
                    db.rollback()
                    raise
                self._checkpoint(db)

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise StreamError("The stream is closed.")
        return self._db

    def _connect(self, durable: bool) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        self._db = db  # closed with this object, whatever follows
        if not self._is_ours(db):
            with self._locked():
                if not self._is_ours(db):
                    _make_tables(db)
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {4 * _CHECKPOINT_BYTES}")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        return db

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        """Say whether the tables are there; raise StreamError where they belong to something else."""
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application == 0 and version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            return False
        if application != _APPLICATION_ID:
            raise StreamError(
                f"{self.path} is a SQLite database of something else.", hint="Choose another folder."
            )
        if version != _FORMAT:
            raise StreamError(
                f"{self.path} has format {version}, and this replaylake knows {_FORMAT}.",
                hint="Upgrade replaylake.",
            )
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._busy_timeout
        nap = 0.0005
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() >= deadline:
                    raise self._is_busy() from exc
                time.sleep(nap)
                nap = min(nap * 2, 0.01)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        """Move a log that has grown into the file, and empty it. What was committed is safe without."""
        try:
            size = self._wal.stat().st_size
            if size < self._checkpoint_at:
                return
            db.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
            try:
                kept = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                db.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
        except (OSError, sqlite3.Error):
            return  # a full disk, say: the commit stands, and the next write tells
        # A reader that is in the way may stay so: do not wait for it at every write.
        self._checkpoint_at = _CHECKPOINT_BYTES + (size if kept else 0)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._translated(exc) from exc

    def _is_busy(self) -> StreamError:
        return StreamError(
            f"{self.path} was locked by another process for {self._busy_timeout:g} s.",
            hint="Look for a process that holds it open and was stopped, and try again.",
        )

    def _translated(self, exc: sqlite3.Error) -> StreamError:
        name = getattr(exc, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return self._is_busy()
        said, hint = f"{self.path} was refused by SQLite: {exc}.", ""
        if name.startswith("SQLITE_FULL"):
            said, hint = f"The disk of {self.path} is full.", "Make room, or trim topics, and try again."
        elif name.startswith("SQLITE_IOERR"):
            said = f"The disk of {self.path} refused: {exc}."
            hint = "Check the disk, its free space and the limit on file sizes, and try again."
        elif name.startswith("SQLITE_NOTADB"):
            said, hint = f"{self.path} is not a SQLite database.", "Move it away, or choose another folder."
        elif name.startswith("SQLITE_CORRUPT"):
            said, hint = f"{self.path} is damaged: {exc}.", "Restore it from a copy, or move it away."
        elif name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
            said, hint = f"{self.path} cannot be opened: {exc}.", "Give a folder that you may write to."
        return StreamError(said, hint=hint)


def _make_tables(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID};"
        f" PRAGMA user_version = {_FORMAT}; COMMIT;"
    )
