"""A member of a consumer group of the embedded stream: groups are rows in the stream's file."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from sqlite3 import Connection
from typing import Any, NamedTuple

from ingest.streams.assignment import assign
from ingest.streams.embedded_file import OFFSET_BITS, StreamFile
from ingest.streams.embedded_headers import decode_headers
from ingest.streams.group_consumer import check_held
from schemas.errors import NotFoundError, StreamError
from schemas.protocols import Bounds, Message, Partition

_SHORTEST_NAP = 0.001
_LONGEST_NAP = 0.02  # how late a waiting consumer may see a message


class _Source(NamedTuple):
    """Say where in the file a partition's messages are, from an offset on."""

    partition: Partition
    key: int
    offset: int
    end: int


def bounds_of(db: Connection, partition: Partition) -> Bounds:
    """Return the bounds; raise NotFoundError where there is no such partition."""
    row = db.execute(
        "SELECT earliest, end FROM partitions WHERE topic = ? AND number = ?", tuple(partition)
    ).fetchone()
    if row is None:
        raise NotFoundError("partition", f"{partition.topic}/{partition.number}")
    return Bounds(*row)


def bump_epochs(db: Connection) -> None:
    """Make every group share out the partitions anew."""
    db.execute("UPDATE groups SET epoch = epoch + 1")


class EmbeddedMember:
    """Read the stream as a member of a group, joined at once (see group_consumer.MemberLog)."""

    def __init__(
        self, file: StreamFile, topics: Sequence[str], group: str, now: float, session_timeout: float
    ) -> None:
        self._file = file
        self._topics = json.dumps(sorted(set(topics)))
        self._group = group
        self._session_timeout = session_timeout
        self._id = -1
        self.beat(now)

    def version(self) -> int:
        """Return SQLite's own count of what others committed."""
        return self._file.version()

    def wait(self, seen: int, seconds: float) -> None:
        """Sleep in naps until the version is no longer `seen`, or for so long."""
        deadline = time.monotonic() + seconds
        nap = _SHORTEST_NAP
        while (left := deadline - time.monotonic()) > 0 and self._file.version() == seen:
            time.sleep(min(nap, left))
            nap = min(nap * 2, _LONGEST_NAP)

    def beat(self, now: float) -> None:
        """Stay a member, or become one again; expel those who did not beat in time."""
        expires = now + self._session_timeout
        with self._file.writing() as db:
            stayed = db.execute("UPDATE members SET expires = ? WHERE id = ?", (expires, self._id)).rowcount
            if not stayed:
                self._id = db.execute(
                    "INSERT INTO members (name, topics, expires) VALUES (?, ?, ?) RETURNING id",
                    (self._group, self._topics, expires),
                ).fetchone()[0]
                db.execute("INSERT OR IGNORE INTO groups VALUES (?, 0)", (self._group,))
            expelled = db.execute(
                "DELETE FROM members WHERE name = ? AND expires < ?", (self._group, now)
            ).rowcount
            if expelled or not stayed:
                self._bump(db)

    def epoch(self) -> int:
        """Return the group's epoch."""
        with self._file.reading() as db:
            return self._epoch(db)

    def standing(self) -> tuple[int, frozenset[Partition]]:
        """Return the epoch, and what this member has in it."""
        with self._file.reading() as db:
            rows = db.execute("SELECT id, topics FROM members WHERE name = ?", (self._group,))
            members = {member: json.loads(topics) for member, topics in rows}
            partitions = dict(db.execute("SELECT topic, count(*) FROM partitions GROUP BY topic"))
            shares = assign(members, partitions)
            return self._epoch(db), shares.get(self._id, frozenset())

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""
        with self._file.reading() as db:
            return bounds_of(db, partition)

    def read(
        self, wanted: Sequence[tuple[Partition, int]], max_messages: int, max_bytes: int
    ) -> list[list[Message]]:
        """Return runs of messages, each of one partition and none empty, from the offsets wanted on."""
        runs: list[list[Message]] = []
        with self._file.reading() as db:
            for source in _sources(db, wanted):
                run, size, full = _run(db, source, max_messages, max_bytes, not runs)
                if run:
                    runs.append(run)
                max_messages -= len(run)
                max_bytes -= size
                if full or max_messages <= 0:
                    break
        return runs

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note the group's next offsets; of a topic that is gone, none."""
        with self._file.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO positions"
                " SELECT ?, key, ? FROM partitions WHERE topic = ? AND number = ?",
                [(self._group, offset, *partition) for partition, offset in offsets.items()],
            )

    def close(self) -> None:
        """Leave the group and let go. If leaving fails, the others expel this member in time."""
        try:
            with contextlib.suppress(StreamError), self._file.writing() as db:
                if db.execute("DELETE FROM members WHERE id = ?", (self._id,)).rowcount:
                    self._bump(db)
        finally:
            self._file.close()

    def _epoch(self, db: Connection) -> int:
        return int(db.execute("SELECT epoch FROM groups WHERE name = ?", (self._group,)).fetchone()[0])

    def _bump(self, db: Connection) -> None:
        db.execute("UPDATE groups SET epoch = epoch + 1 WHERE name = ?", (self._group,))


_FETCHED_ROWS = 1_000
_FETCHED_BYTES = 1 << 20
_VALUE = itemgetter(2)
_new = tuple.__new__  # what a named tuple's own constructor calls, in Python, for each message


def _sources(db: Connection, wanted: Sequence[tuple[Partition, int]]) -> list[_Source]:
    """Return those that have something; raise PositionLostError for an offset that is gone."""
    sources = []
    for partition, offset in wanted:
        row = db.execute(
            "SELECT key, earliest, end FROM partitions WHERE topic = ? AND number = ?", tuple(partition)
        ).fetchone()
        if row is None:
            continue  # deleted; the next poll sees that the group's epoch has changed
        key, earliest, end = row
        check_held(partition, offset, Bounds(earliest, end))
        if offset < end:
            sources.append(_Source(partition, key, offset, end))
    return sources


def _run(
    db: Connection, source: _Source, max_messages: int, max_bytes: int, first: bool
) -> tuple[list[Message], int, bool]:
    """Return messages, their bytes, and whether the next one would have been too many bytes.

    A partition's offsets have no gaps. Rows are fetched some at a time, fewer where they are large: what
    is fetched is held in memory.
    """
    (topic, number), partition_key, start, end = source
    base = partition_key << OFFSET_BITS
    cursor = db.execute(
        "SELECT timestamp_ms, key, value, headers FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (base + start, base + end, max_messages),
    )
    run: list[Message] = []
    size = 0
    some = 1
    while rows := cursor.fetchmany(some):
        fitting = len(rows)
        fetched = sum(map(len, map(_VALUE, rows)))
        if size + fetched > max_bytes:
            fitting, fetched = _fitting(rows, max_bytes - size, first and not run)
        run += [
            _new(Message, (topic, number, offset, stamp, key, value, decode_headers(blob) if blob else ()))
            for offset, (stamp, key, value, blob) in enumerate(rows[:fitting], start + len(run))
        ]
        size += fetched
        if fitting < len(rows):
            cursor.close()
            return run, size, True
        some = max(1, min(_FETCHED_ROWS, _FETCHED_BYTES * len(run) // (size + 1)))
    return run, size, False


def _fitting(rows: Sequence[tuple[Any, ...]], room: int, at_least_one: bool) -> tuple[int, int]:
    """Return how many of the rows have room, and their bytes."""
    size = 0
    for count, row in enumerate(rows):
        if size + len(_VALUE(row)) > room and not (at_least_one and count == 0):
            return count, size
        size += len(_VALUE(row))
    return len(rows), size
