"""The order of events: a watermark says which are late, and which have found their place."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ingest.timeline.held import Event, event_from_json, event_to_json

BEGINNING = -(1 << 62)  # before every time
_FORGET_FROM = 1024


class Order:
    """Hold events until nothing earlier can come, then give them back by (time, arrival).

    The watermark is the largest time seen minus the lateness. It moves with every event that has a time.
    """

    def __init__(self, lateness: int) -> None:
        self._lateness = lateness
        self.watermark = BEGINNING
        self._seq = 0
        self._top = BEGINNING
        self._heap: list[tuple[int, int, Event]] = []
        self._seen: dict[str, int] = {}  # the largest time of each id
        self._forget_at = _FORGET_FROM

    def __len__(self) -> int:
        return len(self._heap)

    def see(self, time: int) -> int:
        """Take notice of an event's time, and return the watermark as it was before."""
        before = self.watermark
        if time > self._top:
            self._top = time
            self.watermark = max(before, time - self._lateness)
        return before

    def repeats(self, event_id: str, time: int, watermark: int) -> bool:
        """Say whether an event of this id that is not older than the watermark came before; note this one."""
        known = self._seen.get(event_id)
        self._seen[event_id] = time if known is None else max(known, time)
        if len(self._seen) > self._forget_at:
            self._seen = {name: last for name, last in self._seen.items() if last >= watermark}
            self._forget_at = 2 * len(self._seen) + _FORGET_FROM
        return known is not None and known >= watermark

    def put(self, event: Event) -> None:
        """Hold an event, after those of the same time that came before it."""
        event.seq = self._seq
        self._seq += 1
        heapq.heappush(self._heap, (event.time, event.seq, event))

    def settled(self) -> Iterator[Event]:
        """Take out, in order, the events that nothing can come before any more."""
        heap = self._heap
        while heap and heap[0][0] <= self.watermark:
            yield heapq.heappop(heap)[2]

    def hurry(self) -> None:
        """Move the watermark to the earliest event that is held; what is older is late from now on."""
        self.watermark = max(self.watermark, self._heap[0][0])

    def finish(self) -> None:
        """Move the watermark to the largest time seen."""
        self.watermark = max(self.watermark, self._top)

    def held(self) -> Iterable[Event]:
        """Iterate over the events that are held, in no order."""
        return (event for _, _, event in self._heap)

    def to_json(self) -> dict[str, Any]:
        """Write what is held as JSON takes it."""
        return {
            "watermark": self.watermark,
            "top": self._top,
            "seq": self._seq,
            "seen": {name: last for name, last in self._seen.items() if last >= self.watermark},
            "held": [event_to_json(event) for event in self.held()],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], lateness: int) -> Order:
        """Read what `to_json` wrote."""
        order = cls(lateness)
        order.watermark, order._top, order._seq = content["watermark"], content["top"], content["seq"]
        order._seen = dict(content["seen"])
        for event in map(event_from_json, content["held"]):
            heapq.heappush(order._heap, (event.time, event.seq, event))
        return order
