"""The embedded stream: a durable log in one SQLite file, for one machine and any number of processes."""

from __future__ import annotations

import contextlib
import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from ingest.streams.embedded_file import OFFSET_BITS, StreamFile
from ingest.streams.embedded_member import EmbeddedMember, bounds_of, bump_epochs
from ingest.streams.embedded_producer import EmbeddedProducer
from ingest.streams.group_consumer import SESSION_TIMEOUT, GroupConsumer
from schemas.errors import NotFoundError, UsageError
from schemas.protocols import Bounds, Partition, Topic
from schemas.times import epoch_ms

_BUSY_TIMEOUT = 30.0
_DELETE_AT_ONCE = 10_000


class EmbeddedStream:
    """Hold topics in `stream.sqlite` in a folder (see schemas.protocols.Stream).

    What `flush` has acknowledged survives a power cut. Producers and consumers have a connection each and
    close on their own. Raise StreamError where the folder cannot be written or the file is not ours, and
    with `create=False` NotFoundError where there is none. POSIX only; not for network file systems.
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
        session_timeout: float = SESSION_TIMEOUT,
        busy_timeout: float = _BUSY_TIMEOUT,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._session_timeout = session_timeout
        self._busy_timeout = busy_timeout
        self._file = StreamFile(folder, create=create, durable=True, busy_timeout=busy_timeout)

    def create_topic(self, name: str, partitions: int = 4) -> Topic:
        """Make the topic, or return the one that is there, however many partitions it has."""
        if partitions < 1:
            raise UsageError(f"A topic cannot have {partitions} partitions.", hint="Give 1 or more.")
        with contextlib.suppress(NotFoundError):
            return self.topic(name)
        with self._file.writing() as db:
            made = db.execute(
                "INSERT OR IGNORE INTO topics VALUES (?, ?)", (name, str(uuid.uuid4()))
            ).rowcount
            if made:  # nobody was faster
                db.executemany(
                    "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                    [(name, number) for number in range(partitions)],
                )
                bump_epochs(db)
        return self.topic(name)

    def topic(self, name: str) -> Topic:
        """Describe a topic; raise NotFoundError where there is none."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT id, count(*) FROM topics JOIN partitions ON topic = name WHERE name = ? GROUP BY id",
                (name,),
            ).fetchone()
            if row is None:
                known = [other for (other,) in db.execute("SELECT name FROM topics")]
                raise NotFoundError("topic", name, known=known)
        return Topic(name, row[0], row[1])

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its messages; raise NotFoundError where there is none.

        A topic that is made again under the name has a new id and starts at offset 0.
        """
        self.topic(name)
        with self._file.writing() as db:
            for (key,) in db.execute("SELECT key FROM partitions WHERE topic = ?", (name,)).fetchall():
                ids = (key << OFFSET_BITS, (key + 1) << OFFSET_BITS)
                db.execute("DELETE FROM messages WHERE id >= ? AND id < ?", ids)
                db.execute("DELETE FROM positions WHERE partition = ?", (key,))
            db.execute("DELETE FROM partitions WHERE topic = ?", (name,))
            db.execute("DELETE FROM topics WHERE name = ?", (name,))
            bump_epochs(db)

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""
        with self._file.reading() as db:
            return bounds_of(db, partition)

    def offset_at(self, partition: Partition, time: datetime) -> int:
        """Return the first held offset whose message is of that time or later; the end without one."""
        with self._file.reading() as db:
            held = bounds_of(db, partition)
            (key,) = db.execute(
                "SELECT key FROM partitions WHERE topic = ? AND number = ?", partition
            ).fetchone()

            def stamp(offset: int) -> int:
                place = ((key << OFFSET_BITS) + offset,)
                return int(db.execute("SELECT timestamp_ms FROM messages WHERE id = ?", place).fetchone()[0])

            return held.earliest + bisect_left(range(held.earliest, held.end), epoch_ms(time), key=stamp)

    def trim(self, partition: Partition, before: int) -> Bounds:
        """Delete the messages below offset `before`; return what is still held.

        Room in the file is used again by later messages; the file does not shrink. Killed in the middle,
        the next trim finishes.
        """
        with self._file.writing() as db:
            held = bounds_of(db, partition)
            earliest = min(max(before, held.earliest), held.end)
            (key,) = db.execute(
                "UPDATE partitions SET earliest = ? WHERE topic = ? AND number = ? RETURNING key",
                (earliest, *partition),
            ).fetchone()
        first, below = key << OFFSET_BITS, (key << OFFSET_BITS) + earliest
        deleted = 1
        while deleted:  # in parts, so that producers need not wait for the whole
            with self._file.writing() as db:
                deleted = db.execute(
                    "DELETE FROM messages WHERE id IN"
                    " (SELECT id FROM messages WHERE id >= ? AND id < ? LIMIT ?)",
                    (first, below, _DELETE_AT_ONCE),
                ).rowcount
        return Bounds(earliest, held.end)

    def committed(self, group: str, partition: Partition) -> int | None:
        """Return the next offset that the group last told, or None."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT next FROM positions JOIN partitions ON key = partition"
                " WHERE name = ? AND topic = ? AND number = ?",
                (group, *partition),
            ).fetchone()
        return None if row is None else int(row[0])

    def producer(self) -> EmbeddedProducer:
        """Open a producer, for one thread."""
        return EmbeddedProducer(self._connect(durable=True), self.topic, self._clock)

    def consumer(self, topics: Sequence[str], group: str) -> GroupConsumer:
        """Join a group that shares out the partitions of these topics; raise NotFoundError without one."""
        if not topics:
            raise UsageError("A consumer needs a topic.", hint="Name one.")
        for name in topics:
            self.topic(name)
        connection = self._connect(durable=False)
        try:
            log = EmbeddedMember(connection, topics, group, self._clock(), self._session_timeout)
        except BaseException:
            connection.close()
            raise
        return GroupConsumer(log, clock=self._clock, session_timeout=self._session_timeout)

    def close(self) -> None:
        """Let go of the file. Closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _connect(self, *, durable: bool) -> StreamFile:
        return StreamFile(self._folder, create=False, durable=durable, busy_timeout=self._busy_timeout)
