"""One archive's way in: judge messages, buffer rows, and commit them with their positions.

The rules of exactly-once, by number, are in `docs/architecture.md`; they are kept here, in `judging`,
and in the lake's `Landing`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.worker.arrival import app_id
from ingest.worker.judging import Examined, Settled, count_reasons, examine, judge
from ingest.worker.key_window import KeyWindow
from ingest.worker.partition_limit import refuse_excess
from ingest.worker.report import IngestReport
from schemas.errors import UsageError
from schemas.protocols import Bounds, Gate, Landing, Message, Move, Partition, TableName, Topic, replays_id
from schemas.step import quarantine_schema, steps_schema


@dataclass(slots=True)
class _Progress:
    """Follow one partition: where the tables are, and where the buffer is."""

    app_id: str
    landed: int  # last offset in the steps table
    settled: Settled  # what quarantine has beyond that
    buffered: int  # last offset taken into the buffer


@dataclass(slots=True)
class _Buffer:
    accepted: list[pa.Table] = field(default_factory=list)
    refused: list[pa.Table] = field(default_factory=list)
    duplicates: int = 0
    erased: int = 0
    rows: int = 0
    size: int = 0
    since: float | None = None  # when the first message came


@dataclass(frozen=True, slots=True)
class Flush:
    """Hold a buffer on its way to the tables: its rows, and how far each partition moves."""

    accepted: tuple[pa.Table, ...]
    refused: tuple[pa.Table, ...]
    duplicates: int
    erased: int
    judged: dict[str, Move]  # of the quarantine table, by app id
    landed: dict[str, Move]  # of the steps table, by app id
    settled: dict[int, int]  # by partition: up to this offset verdicts stood before


class Intake:
    """Take the messages of one archive's topic to its two tables, exactly once.

    One thread drives it, but for `land`, which may run in another while the next buffer fills: then
    `detach` and `start` wait for it. After CommitConflictError from `land`, `start` again.
    """

    def __init__(
        self,
        topic: Topic,
        landing: Landing,
        gate: Gate,
        *,
        new_gate: Callable[[], Gate | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Wire an archive's way in.

        `new_gate` is asked about once a second. It returns the gate to go on with where that is another
        one, and raises ReplayLakeError, once for each, for what cannot be one.
        """
        self._topic = topic
        self._landing = landing
        self._gate = gate
        self.new_gate = new_gate
        self._clock = clock
        self._now = now
        self._window = KeyWindow(landing)
        self._buffer = _Buffer()
        self._in_flight: Flush | None = None
        self._progress: dict[int, _Progress] = {}
        self._no_replay: dict[str, Move] = {}  # asks that no replay has landed what we did not compare with

    @property
    def topic(self) -> Topic:
        """The topic that feeds the archive."""
        return self._topic

    @property
    def archive(self) -> str:
        """The name of the archive."""
        return self._landing.spec.name

    @property
    def rows(self) -> int:
        """The rows that the buffer holds."""
        return self._buffer.rows

    @property
    def size(self) -> int:
        """The bytes that the buffer holds."""
        return self._buffer.size

    @property
    def age(self) -> float:
        """Seconds since the buffer's first message came; 0 where it is empty."""
        return 0.0 if self._buffer.since is None else self._clock() - self._buffer.since

    def begin_at(self, offsets: Mapping[Partition, int]) -> None:
        """Let a fresh archive begin at these offsets, of all its topic's partitions: nothing before is read.

        Raise UsageError where anything has been committed: what is there is never read again.
        """
        self._landing.refresh()
        if self._landing.is_begun:
            name = self._landing.spec.name
            raise UsageError(
                f"The archive {name!r} has begun already, and goes on from where it is.",
                hint="Create a fresh one for what is to be read again: replaylake archive create NAME.",
            )
        moves = {self._app_id(where): Move(-1, offset - 1) for where, offset in offsets.items() if offset > 0}
        spec = self._landing.spec
        self._commit("quarantine", quarantine_schema(spec).empty_table(), moves)
        self._commit("steps", steps_schema(spec).empty_table(), moves)

    def start(self, partitions: Mapping[Partition, Bounds]) -> None:
        """Drop the buffer, and go on from where the tables are: see `next_to_take`.

        A partition that nothing was landed of begins at the earliest message that is still held.
        """
        self._buffer = _Buffer()
        self._in_flight = None
        self._window.forget()
        self._landing.refresh()
        self._progress = {where.number: self._look_up(where, held) for where, held in partitions.items()}
        replays = replays_id(self._landing.spec.name)
        seen = self._landing.position("steps", replays)
        self._no_replay = {replays: Move(seen, seen)}

    def judge_by(self, gate: Gate) -> None:
        """Judge by another gate from the next `start` on: before it, land what is buffered or in flight.

        What was examined ahead must not be taken any more: it was judged by the gate before.
        """
        self._gate = gate

    def _look_up(self, partition: Partition, held: Bounds) -> _Progress:
        name = self._app_id(partition)
        landed = self._landing.position("steps", name)
        judged = self._landing.position("quarantine", name)
        refused = self._landing.quarantined(partition, landed) if judged > landed else frozenset()
        # Where a part of what was judged is gone already, reading on from there would hide it.
        fresh = landed < 0 and (judged < 0 or held.earliest <= judged + 1)
        return _Progress(name, landed, Settled(judged, refused), held.earliest - 1 if fresh else landed)

    def _app_id(self, partition: Partition) -> str:
        return app_id(self._landing.spec.name, self._topic.id, partition)

    def landed(self, partition: Partition) -> int:
        """Return the last offset in the steps table, whoever landed it, as of now."""
        self._landing.refresh()  # positions are compared again before each commit
        return self._landing.position("steps", self._app_id(partition))

    def next_to_take(self) -> dict[Partition, int]:
        """Return the offset after the last one landed or buffered, by started partition."""
        return {Partition(self._topic.name, n): p.buffered + 1 for n, p in self._progress.items()}

    def examine(self, messages: Sequence[Message]) -> Examined:
        """Decode messages and judge each by itself; may run in another thread, ahead of `take`."""
        return examine(messages, self._topic, self._landing.spec, self._gate)

    def take(self, examined: Examined) -> None:
        """Buffer what becomes of messages of started partitions, in the order of the stream."""
        buffer = self._buffer
        if buffer.since is None:
            buffer.since = self._clock()
        judged = judge(
            examined,
            self._landing.spec,
            self._gate,
            self._window,
            {number: progress.settled for number, progress in self._progress.items()},
            [*(self._in_flight.accepted if self._in_flight else ()), *buffer.accepted],
            self._landing.erased,
        )
        buffer.accepted.append(judged.accepted)
        buffer.refused.append(judged.refused)
        buffer.duplicates += judged.duplicates
        buffer.erased += judged.erased
        buffer.rows += judged.accepted.num_rows + judged.refused.num_rows
        buffer.size += judged.accepted.nbytes + judged.refused.nbytes
        for number, offset in examined.last.items():
            self._progress[number].buffered = offset

    def pass_over(self, positions: Mapping[Partition, int]) -> None:
        """Note how far the stream was read: it has offsets without a message, as of transactions."""
        for number, progress in self._progress.items():
            position = positions.get(Partition(self._topic.name, number), 0)
            if position - 1 > progress.buffered:
                progress.buffered = position - 1
                if self._buffer.since is None:
                    self._buffer.since = self._clock()

    def detach(self) -> Flush | None:
        """Take the buffer out, to be landed; None where no position has moved. Only one is out at a time."""
        moved = {n: p for n, p in self._progress.items() if p.buffered > p.landed}
        if not moved:
            return None
        buffer, self._buffer = self._buffer, _Buffer()
        self._in_flight = Flush(
            tuple(buffer.accepted),
            tuple(buffer.refused),
            buffer.duplicates,
            buffer.erased,
            {
                p.app_id: Move(p.settled.upto, p.buffered)
                for p in moved.values()
                if p.buffered > p.settled.upto
            },
            {p.app_id: Move(p.landed, p.buffered) for p in moved.values()},
            {number: progress.settled.upto for number, progress in moved.items()},
        )
        return self._in_flight

    def land(self, flush: Flush) -> IngestReport:
        """Commit to quarantine first, then to steps, each with its positions and even if empty.

        The commit to quarantine settles the verdicts. Without it a worker that was thought dead could
        land a row that another one, by a newer suite, has put into quarantine. Raise CommitConflictError
        where another worker was faster; what it settled is found by `start`.
        """
        spec = self._landing.spec
        accepted = self._stamped(flush.accepted, steps_schema(spec))
        refused = self._stamped(flush.refused, quarantine_schema(spec))
        accepted, refused = refuse_excess(accepted, refused, spec, self._gate.suite_hash, flush.settled)
        if flush.judged:
            self._commit("quarantine", refused, flush.judged | self._no_replay)
        self._commit("steps", accepted, flush.landed | self._no_replay)
        return IngestReport(
            accepted=accepted.num_rows,
            quarantined=refused.num_rows,
            duplicates=flush.duplicates,
            erased=flush.erased,
            flagged=int(np.count_nonzero(pc.list_value_length(accepted["flags"]))),
            reasons=Counter(count_reasons(refused)),
            commits=1,
        )

    def settle(self, flush: Flush) -> None:
        """Note that a flush has landed."""
        self._in_flight = None
        for progress in self._progress.values():
            move = flush.landed.get(progress.app_id)
            if move is not None:
                progress.landed = move.after
                if progress.landed >= progress.settled.upto:
                    progress.settled = Settled(progress.landed, frozenset())

    def _stamped(self, tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
        """Join tables of the buffer, and add the time of the commit."""
        place = schema.get_field_index("ingested_at")
        joined = pa.concat_tables(tables) if tables else schema.remove(place).empty_table()
        stamp = pa.repeat(pa.scalar(self._now(), schema.field(place).type), joined.num_rows)
        return joined.add_column(place, schema.field(place), stamp)

    def _commit(self, table: TableName, rows: pa.Table, moves: dict[str, Move]) -> None:
        metadata = {
            "replaylake.origin": "ingest",
            "replaylake.spec": self._landing.spec.hash,
            "replaylake.suite": self._gate.suite_hash,
        }
        self._landing.commit(table, rows, moves, metadata)

    def next_offsets(self) -> dict[Partition, int]:
        """Return the offset after the last one landed, by partition."""
        return {Partition(self._topic.name, n): p.landed + 1 for n, p in self._progress.items()}
