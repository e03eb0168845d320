"""Processes for the crash tests: one ingests until it is killed, one publishes as it is told to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ingest import EmbeddedStream, FlushPolicy, open_stream, publish_lines
from lake import Lake
from replaylake import Publisher, ingest_follow
from schemas.errors import StreamError
from schemas.protocols import Stream
from tests.ingest.crash_steps import JSON_EVERY, json_lines, rows

T = TypeVar("T")
SESSION_TIMEOUT = 2.0  # seconds: a worker that is frozen for longer is expelled from the embedded stream
_FLUSH = FlushPolicy(rows=4_000, seconds=0.2)


def opened(url: str) -> Stream:
    """Open a stream; the embedded one with short sessions."""
    if url.startswith("embedded:"):
        return EmbeddedStream(Path(url.removeprefix("embedded:")), session_timeout=SESSION_TIMEOUT)
    return open_stream(url, embedded_folder=None)


def work(lake: Path, url: str) -> None:
    """Ingest forever, in small commits, telling of each on standard output."""
    with opened(url) as source:
        print("ready", flush=True)  # noqa: T201
        ingest_follow(
            Lake(lake),
            stream=source,
            stop=threading.Event(),
            flush=_FLUSH,
            on_progress=lambda report: print(report.accepted, flush=True),  # noqa: T201
        )


def publish(lake: Path, url: str, source: str) -> None:
    """Publish as many episodes as each line of standard input says, until it ends.

    Most go as Arrow messages, some as JSON lines. What a stream that is away did not take is sent again.
    """
    archive = Lake(lake).archive("crash")
    episode = 0
    with (
        opened(url) as stream,
        persistently(lambda: Publisher(archive, stream=stream, run="", source=source)) as out,
    ):
        for line in sys.stdin:
            for _ in range(int(line)):
                if episode % JSON_EVERY == 0:
                    lines = list(json_lines(source, episode))
                    persistently(partial(publish_lines, lines, stream, archive.spec.topic))
                else:
                    persistently(partial(out.publish_table, rows(source, episode)))
                episode += 1
            persistently(out.flush)
            print(episode, flush=True)  # noqa: T201


def persistently(action: Callable[[], T]) -> T:
    """Try until the stream takes it."""
    while True:
        try:
            return action()
        except StreamError as exc:
            print(exc, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["work", lake, stream]:
            work(Path(lake), stream)
        case ["publish", lake, stream, source]:
            publish(Path(lake), stream, source)
        case wrong:
            sys.exit(f"used wrongly: {wrong}")
