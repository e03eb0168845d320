"""Publishing from asyncio: the same publisher, waited for without holding the event loop up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Self

import pyarrow as pa

from ingest.publishing.publisher import Publisher
from schemas.errors import StreamError


class AsyncPublisher:
    """Publish from one event loop; see `Publisher`, which `open_publisher` returns, for what calls mean.

    The publisher is opened and closed by `async with`, in a thread, for that may mean waiting for a server.
    """

    def __init__(self, open_publisher: Callable[[], Publisher]) -> None:
        self._open = open_publisher
        self._inner: Publisher | None = None
        self._progress: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def publish(self, **step: Any) -> None:
        """Buffer one step, as `Publisher.publish` does; suspend only where there is no room."""
        (await self._with_room()).publish(**step)

    async def publish_columns(self, columns: Mapping[str, Any], rows: int) -> None:
        """Buffer so many steps, as `Publisher.publish_columns` does."""
        (await self._with_room()).publish_columns(columns, rows)

    async def publish_table(self, table: pa.Table) -> None:
        """Take a table of steps, as `Publisher.publish_table` does."""
        (await self._with_room()).publish_table(table)

    async def flush(self) -> None:
        """Return once all that was published is durable; where it raises, everything is kept."""
        outbox = self._opened().outbox
        ticket = outbox.ask()
        await self._until(lambda: outbox.settled(ticket))

    async def close(self) -> None:
        """Flush and let go. Closing twice is harmless."""
        if self._inner is not None:
            await asyncio.to_thread(self._inner.close)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._inner = await asyncio.to_thread(self._open)
        self._inner.outbox.listen(self._wake)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def _opened(self) -> Publisher:
        if self._inner is None:
            raise StreamError("The publisher is not open yet.", hint="Use `async with`.")
        return self._inner

    async def _with_room(self) -> Publisher:
        """Return the publisher once it has room. Where it has none in time, it is the one to say so."""
        inner = self._opened()
        outbox = inner.outbox
        if not outbox.has_room:
            try:
                async with asyncio.timeout(outbox.patience):
                    await self._until(lambda: outbox.has_room or outbox.is_closed)
            except TimeoutError:
                outbox.refuse()
        return inner

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._progress.clear()  # the loop runs `_wake` later, if ever since `ready`
            await self._progress.wait()

    def _wake(self) -> None:
        """Tell the event loop, from the publisher's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._progress.set)
