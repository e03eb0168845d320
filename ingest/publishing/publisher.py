"""Publishing steps: rows, columns or tables in, Arrow messages out, an episode always to one partition."""

from __future__ import annotations

import itertools
import secrets
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa

from ingest.publishing.limits import Limits, Linger
from ingest.publishing.outbox import Outbox
from ingest.publishing.outgoing import Sender, with_prefix, with_texts, with_times
from ingest.publishing.row_codec import RowCodec
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Stream
from schemas.steps import Steps

_LINGER = Linger()
_LIMITS = Limits()


class Publisher:
    """Publish the steps of one archive. The topic is made where there is none. Threads may share it.

    Episode ids get the prefix `run/`: a fresh random one unless it is given, so an actor that starts again
    never uses an episode twice; with a `run` of its own it repeats its keys, and what it sent before is
    dropped. With `run=""` there is no prefix. `source`, `agent_id` and `policy_version` stand where a row
    says nothing.

    A thread sends, by `linger`, also while nobody publishes. Where the stream is away, steps are kept and
    sent later. A call waits where `limits` are reached, and raises StreamError after their seconds: that
    step was not taken. Where the stream has failed for as long, or for another reason than being away, the
    next call raises the error; that step was taken, and nothing is lost yet.

    Close it, or use `with`: what is forgotten is sent when it is collected or the process ends in order,
    without a word of failure but in the log. A fork leaves it to the parent.
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
        limits: Limits = _LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run = secrets.token_hex(6) if run is None else run
        self._spec = spec
        self._prefix = f"{self.run}/" if self.run else ""
        self._texts = {"source": source, "agent_id": agent_id, "policy_version": policy_version}
        self._clock = clock
        self._numbers = itertools.count()
        self._codec = RowCodec(spec, self._texts)
        topic = stream.create_topic(spec.topic)
        sender = Sender(spec, topic, stream.producer())
        self._outbox = Outbox(sender, _tables_by(self._codec), linger, limits)
        self._forgotten = weakref.finalize(self, _forget, self._outbox, spec.name)
        self._forgotten.atexit = False  # the outbox sees to that itself

    @property
    def spec(self) -> ArchiveSpec:
        """The spec of the archive."""
        return self._spec

    @property
    def outbox(self) -> Outbox:
        """What was published and is not durable yet."""
        return self._outbox

    def environment_number(self) -> int:
        """Return 0, then 1, and so on: wrappers make episode ids of it that no two environments share."""
        return next(self._numbers)

    def now(self) -> float:
        """Return the time by the publisher's clock, which steps without a time get."""
        return self._clock()

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

    def publish_row(self, row: Mapping[str, Any]) -> None:
        """Buffer one step, as `publish` does, from a mapping."""
        self._add(dict(row))

    def publish_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Buffer steps; raise StepsError at the first bad one. The rows before it are kept."""
        for row in rows:
            self._add(dict(row))

    def publish_columns(self, columns: Mapping[str, Any], rows: int) -> None:
        """Buffer so many steps, all or none: a column has one value a row, as an array or a sequence.

        For a Dict or Tuple space it may be a mapping of columns (`item_0` and so on). A column of texts that
        is not given is filled as `publish` does it, and None in a column is no value. Arrays are copied.
        """
        if not rows:
            return
        filled = {"event_time": [self._clock()] * rows, **columns}
        if (episodes := filled.get("episode_id")) is not None:
            filled["episode_id"] = [self._named(episode) for episode in episodes]
        taken = self._codec.take_many(filled, rows)
        self._outbox.put(taken, rows, sum(map(self._codec.size, taken)))

    def publish_table(self, table: pa.Table) -> None:
        """Take a table of steps, all or none; raise StepsError with the column that does not fit."""
        filled = with_texts(table, self._texts)
        if self._prefix:
            filled = with_prefix(filled, self._prefix)
        now = datetime.fromtimestamp(self._clock(), UTC)
        steps = Steps(with_times(filled, self._spec, now), self._spec)
        if len(steps):
            self._outbox.put([steps.table], len(steps), steps.table.nbytes)

    def flush(self) -> None:
        """Return once all that was published is durable.

        Where it raises StreamError, everything is kept: flush again, or go on; the thread tries by itself.
        """
        self._outbox.flush()

    def close(self) -> None:
        """Flush and let go. Closing twice is harmless.

        Raise StreamError with the number of steps that did not reach the stream in the seconds of `limits`.
        """
        self._forgotten.detach()
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _add(self, record: dict[str, Any]) -> None:
        if record.get("event_time") is None:
            record["event_time"] = self._clock()
        record["episode_id"] = self._named(record.get("episode_id"))
        row = self._codec.take(record)
        self._outbox.put((row,), 1, self._codec.size(row))

    def _named(self, episode_id: Any) -> str | None:
        return None if episode_id is None else f"{self._prefix}{episode_id}"


def _tables_by(codec: RowCodec) -> Callable[[Sequence[Any]], Iterator[pa.Table]]:
    """Return how entries of an outbox become tables: rows in runs, tables as they are."""

    def tables(entries: Sequence[Any]) -> Iterator[pa.Table]:
        for is_table, run in itertools.groupby(entries, lambda entry: isinstance(entry, pa.Table)):
            if is_table:
                yield from run
            else:
                yield codec.table(list(run))

    return tables


def _forget(outbox: Outbox, name: str) -> None:
    if outbox.is_closed:  # as it is in a child of the process that made it
        return
    outbox.abandon()
    warnings.warn(f"A publisher of the archive {name!r} was not closed.", ResourceWarning, stacklevel=2)
