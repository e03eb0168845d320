"""The seams between the floors: what a stream, a gate and a landing place must do.

The worker takes these as arguments, so that `ingest` imports neither `validation` nor `lake`. Every
implementation of a seam passes the one contract suite in `tests/contracts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec

Headers = tuple[tuple[str, bytes], ...]
TableName = Literal["steps", "quarantine"]


class Partition(NamedTuple):
    """Name one partition of a topic."""

    topic: str
    number: int


class Message(NamedTuple):
    """Hold one message as the stream delivered it; its timestamp never changes on a second reading."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Headers


class Bounds(NamedTuple):
    """Say what a partition still holds: offsets from `earliest` up to, not including, `end`."""

    earliest: int
    end: int


@dataclass(frozen=True, slots=True)
class Topic:
    """Describe a topic. `id` is new each time a topic is made, even under an old name."""

    name: str
    id: str
    partitions: int


class Producer(Protocol):
    """Append messages to a stream."""

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Buffer a message. Equal keys go to the same partition, in order; no key spreads them.

        A `partition` given decides before the key does. Raise NotFoundError where there is no such topic
        or partition, and StreamError where the buffer is full and cannot be flushed. A message for which
        this raises was not buffered.
        """

    def flush(self) -> None:
        """Return once every message sent so far is durable; raise StreamError if one is not."""

    def close(self) -> None:
        """Flush and let go. Closing twice is harmless."""


class Consumer(Protocol):
    """Read the partitions that the group gave to this member.

    A partition that was newly assigned delivers nothing until `seek` says where from: positions live
    in the tables, never in the group. All calls come from one thread.
    """

    @property
    def assignment(self) -> frozenset[Partition]:
        """The partitions of this member as of the last `poll`."""

    @property
    def generation(self) -> int:
        """Grow with every change of the assignment, also when it comes back to what it was."""

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The next offset of each partition that was sought, as of the last `poll`.

        It comes after what was delivered, and after offsets for which the stream holds no message, as
        where a transaction ends.
        """

    def poll(self, max_messages: int, max_bytes: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages; keep membership alive and follow rebalances.

        A partition's messages come in order. At least one message comes even if it exceeds `max_bytes`.
        """

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver from `offset` on; raise PositionLostError where the stream no longer has it."""

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Deliver nothing of these until `resume`; membership is kept by `poll`."""

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Deliver these again from where they were."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group the next offset of each partition: advisory, for the display of lag only."""

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting."""


class Stream(Protocol):
    """Hold topics of messages in partitions."""

    def create_topic(self, name: str, partitions: int = 4) -> Topic:
        """Make the topic, or return the one that is there."""

    def topic(self, name: str) -> Topic:
        """Describe a topic; raise NotFoundError where there is none."""

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""

    def offset_at(self, partition: Partition, time: datetime) -> int:
        """Return the first held offset whose message is of that time or later; the end without one."""

    def committed(self, group: str, partition: Partition) -> int | None:
        """Return the next offset that the group last told, or None."""

    def producer(self) -> Producer:
        """Open a producer."""

    def consumer(self, topics: Sequence[str], group: str) -> Consumer:
        """Join a group that shares out the partitions of these topics."""

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Say for each row of a batch whether it is accepted, and why not.

    `reasons` are short stable codes such as `finite(reward)`, empty exactly where accepted.
    """

    accepted: NDArray[np.bool_]  # (N,)
    reasons: pa.ListArray  # (N,) of strings
    flags: pa.ListArray  # (N,) of strings: rules of severity `warning` that failed
    quality: NDArray[np.float32]  # (N,) in [0, 1]


class Gate(Protocol):
    """Judge rows. The verdict on a row depends on the row, the spec and the suite alone."""

    @property
    def suite_hash(self) -> str:
        """Identify the suite: equal hashes judge alike."""

    def judge(self, rows: pa.Table) -> Verdict:
        """Judge rows that have the spec's wire columns."""

    def describe(self, rows: pa.Table, verdict: Verdict) -> pa.StringArray:
        """Say of each rejected row, in order and in one line, what was wrong with which value."""


class Move(NamedTuple):
    """Move a stream position with a commit: from the last offset landed (-1: none) to another.

    A move to where it is asks that it still be there, and writes nothing.
    """

    before: int
    after: int


def replays_id(archive: str) -> str:
    """Name the position in the steps table that every replay of the archive's quarantine moves by one.

    Who compared rows with what has landed commits, to either table, with a `Move` from it to itself: a
    replay that landed others meanwhile then is a CommitConflictError.
    """
    return f"{archive}/replays"


class Committed(Protocol):
    """Read what has landed, to tell duplicates by."""

    def committed_keys(self, date: str) -> Iterator[pa.Table]:
        """Iterate over the key columns of the accepted rows of one event date."""

    def committed_rows(self, date: str, episodes: Sequence[str | None]) -> Iterator[pa.Table]:
        """Iterate over the wire columns of accepted rows of one date, at least those of the episodes."""


class Landing(Committed, Protocol):
    """Land rows in one archive's two tables, together with the stream positions they came from.

    A commit fails with CommitConflictError unless every position in the table still is `before`; then
    nothing of it is visible, and the caller refreshes, seeks and repeats.
    """

    @property
    def spec(self) -> ArchiveSpec:
        """The archive's spec."""

    @property
    def lake_id(self) -> str:
        """The lake's own id, part of the consumer group's name."""

    def refresh(self) -> None:
        """See the newest version of both tables."""

    @property
    def is_begun(self) -> bool:
        """Whether anything was committed to either table, as last refreshed."""

    def position(self, table: TableName, app_id: str) -> int:
        """Return the last offset landed in the table as last refreshed, or -1."""

    def quarantined(self, partition: Partition, after: int) -> frozenset[tuple[int, int]]:
        """Return (offset, row) of what quarantine holds of the partition beyond offset `after`."""

    def erased(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Say of rows which of them must not land again, in neither table, for an erasure took them out.

        They have the wire's columns and the lineage; `raw`, too, where they go to quarantine. A commit
        fails with CommitConflictError where another erasure was decided since the last `refresh`.
        """

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        """Land rows, none at all too, and move the positions of the app ids; return the new version."""
