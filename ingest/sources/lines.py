"""Lines of JSON to messages, as they are: the gate judges them later, and keeps what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from ingest.streams.assignment import partition_for, routing_key
from schemas.protocols import Producer, Stream, Topic
from schemas.wire import Form, headers_for

_MESSAGE_ROWS = 1000
_MESSAGE_BYTES = 256 << 10
_FLUSH_BYTES = 16 << 20


def publish_lines(
    lines: Iterable[bytes],
    stream: Stream,
    topic: str,
    *,
    rows: int = _MESSAGE_ROWS,
    message_bytes: int = _MESSAGE_BYTES,
) -> int:
    """Send lines of JSON raw, several to a message, and return how many; durable on return.

    An episode goes to one partition. The same lines make the same messages in the same partitions again,
    so that the worker knows a file that was published twice. Empty lines are left out. The topic is made
    where there is none. Where this raises StreamError, a part of the lines may have been sent.
    """
    target = stream.create_topic(topic)
    producer = stream.producer()
    sender = LineSender(producer, target, rows=rows, message_bytes=message_bytes)
    try:
        for line in lines:
            sender.add(line)
            if sender.held >= _FLUSH_BYTES:  # bounded memory, whatever the producer
                producer.flush()
                sender.held = 0
        sender.send_all()
    finally:
        producer.close()
    return sender.taken


class LineSender:
    """Gather the lines of each partition until they make a message.

    `taken` counts the lines, and `held` the bytes in messages since the caller, who flushes, set it back.
    """

    def __init__(
        self,
        producer: Producer,
        topic: Topic,
        *,
        rows: int = _MESSAGE_ROWS,
        message_bytes: int = _MESSAGE_BYTES,
    ) -> None:
        self.taken = 0
        self.held = 0
        self._producer = producer
        self._topic = topic
        self._rows = rows
        self._message_bytes = message_bytes
        self._headers = headers_for(Form.NDJSON)
        self._lines: list[list[bytes]] = [[] for _ in range(topic.partitions)]
        self._bytes = [0] * topic.partitions

    def add(self, line: bytes) -> None:
        """Take a line; an empty one is left out."""
        line = line.strip()
        if not line:
            return
        self.taken += 1
        number = partition_for(_key(line), self._topic.partitions)
        gathered = self._lines[number]
        if gathered and (
            len(gathered) >= self._rows or self._bytes[number] + len(line) > self._message_bytes
        ):
            self._send(number)
        self._lines[number].append(line)
        self._bytes[number] += len(line) + 1

    def send_all(self) -> None:
        """Send what was gathered; it is durable once the producer has flushed."""
        for number, gathered in enumerate(self._lines):
            if gathered:
                self._send(number)

    def _send(self, number: int) -> None:
        value = b"\n".join(self._lines[number])
        self._producer.send(self._topic.name, value, headers=self._headers, partition=number)
        self.held += len(value)
        self._lines[number] = []
        self._bytes[number] = 0


def _key(line: bytes) -> bytes:
    """Return the key of the line's episode or event, as a publisher has it; else the line itself."""
    try:
        record = _parsed(line)
        source, name = record.get("source"), record.get("episode_id")
        source = "default" if source is None else source
        name = record.get("event_id") if name is None else name
        return routing_key(source, name) if isinstance(source, str) and isinstance(name, str) else line
    except (ValueError, RecursionError, AttributeError):  # no JSON, no object, half a character
        return line


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # which knows no NaN
        return json.loads(line)
