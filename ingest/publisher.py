"""Publishing steps: rows or tables in, Arrow messages out, an episode always to one partition."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa

from ingest.outgoing import parts, with_prefix, with_texts, with_times
from ingest.rows import ready_row
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StreamError
from schemas.protocols import Stream
from schemas.step import wire_schema
from schemas.steps import Steps
from schemas.wire import Form, encode_arrow, headers_for


@dataclass(frozen=True, slots=True)
class Linger:
    """Say how long rows may wait before they are sent, whichever comes first.

    The time is looked at when something is published: a publisher has no thread of its own.
    """

    rows: int = 1000
    seconds: float = 0.5


_LINGER = Linger()


class Publisher:
    """Publish the steps of one archive, from one thread. The topic is made where there is none.

    Episode ids get the prefix `run/`: a fresh random one unless it is given, so an actor that starts again
    never uses an episode twice; with `run=""` there is no prefix. `source`, `agent_id` and
    `policy_version` stand where a row says nothing.
    """

    def __init__(
        self,
        spec: ArchiveSpec,
        stream: Stream,
        *,
        run: str | None = None,
        source: str = "default",
        agent_id: str = "default",
        policy_version: str | None = None,
        linger: Linger = _LINGER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run = secrets.token_hex(6) if run is None else run
        self._spec = spec
        self._prefix = f"{self.run}/" if self.run else ""
        self._defaults = {"source": source, "agent_id": agent_id, "policy_version": policy_version}
        self._linger = linger
        self._clock = clock
        self._topic = stream.create_topic(spec.topic)
        self._producer = stream.producer()
        self._schema = wire_schema(spec)
        self._headers = headers_for(Form.ARROW)
        self._rows: list[dict[str, Any]] = []
        self._outbox: deque[tuple[int, pa.Table]] = deque()  # what the producer has not taken yet
        self._waiting = 0  # rows that are not acknowledged yet
        self._since = 0.0  # when the first of them came
        self._closed = False

    def publish(
        self,
        *,
        episode_id: str | int | None,
        step: int | None,
        observation: Any,
        action: Any,
        reward: float | None,
        terminated: bool,
        truncated: bool,
        next_observation: Any = None,
        action_probability: float | None = None,
        action_log_prob: float | None = None,
        agent_id: str | None = None,
        event_time: datetime | float | str | None = None,
        info: Mapping[str, Any] | str | None = None,
        **columns: Any,
    ) -> None:
        """Buffer one step; `columns` are further columns of the step, and the spec's extras.

        Arrays are copied. Raise StepsError at once for a row that does not follow the spec; what was
        buffered before it is kept. Without `event_time` it is now.
        """
        self._add(
            {
                "episode_id": episode_id,
                "step": step,
                "observation": observation,
                "action": action,
                "reward": reward,
                "terminated": terminated,
                "truncated": truncated,
                "next_observation": next_observation,
                "action_probability": action_probability,
                "action_log_prob": action_log_prob,
                "agent_id": agent_id,
                "event_time": event_time,
                "info": info,
                **columns,
            }
        )

    def publish_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Buffer steps; raise StepsError at the first bad one. The rows before it are kept."""
        for row in rows:
            self._add(dict(row))

    def publish_table(self, table: pa.Table) -> None:
        """Send a table of steps, all or none; raise StepsError with the column that does not fit.

        Where it raises StreamError, the table was taken all the same: flush again.
        """
        self._check_open()
        filled = with_texts(table, self._defaults)
        if self._prefix:
            filled = with_prefix(filled, self._prefix)
        steps = Steps(with_times(filled, self._spec, self._now()), self._spec)
        self._pack_rows()
        self._outbox.extend(parts(steps.table, self._topic.partitions))
        self._note(len(steps))
        self._send()
        self._flush_if_due()

    def flush(self) -> None:
        """Return once all that was published is durable.

        Where it raises StreamError, everything is kept: flush again.
        """
        self._pack_rows()
        self._send()
        self._producer.flush()
        self._waiting = 0

    def close(self) -> None:
        """Flush and let go. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            self._pack_rows()
            self._send()
        finally:
            self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _add(self, record: dict[str, Any]) -> None:
        self._check_open()
        for name, value in self._defaults.items():
            if record.get(name) is None:
                record[name] = value
        if record.get("event_time") is None:
            record["event_time"] = self._now()
        row = ready_row({**record, "episode_id": self._named(record.get("episode_id"))}, self._spec)
        self._note(1)
        self._rows.append(row)
        self._flush_if_due()

    def _named(self, episode_id: Any) -> str | None:
        return None if episode_id is None else f"{self._prefix}{episode_id}"

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _note(self, rows: int) -> None:
        if not self._waiting:
            self._since = self._clock()
        self._waiting += rows

    def _flush_if_due(self) -> None:
        if self._waiting >= self._linger.rows or self._clock() - self._since >= self._linger.seconds:
            self.flush()

    def _pack_rows(self) -> None:
        if self._rows:
            steps = Steps(pa.Table.from_pylist(self._rows, schema=self._schema), self._spec)
            self._outbox.extend(parts(steps.table, self._topic.partitions))
            self._rows = []

    def _send(self) -> None:
        while self._outbox:
            partition, piece = self._outbox[0]
            value = encode_arrow(Steps(piece, self._spec))
            self._producer.send(self._topic.name, value, headers=self._headers, partition=partition)
            self._outbox.popleft()

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError("The publisher is closed.")
