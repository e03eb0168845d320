"""Who gets what: messages to partitions, partitions to the members of a group. Pure functions."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.protocols import Partition


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of a key: the same in every process, Python and run.

    CRC-32 modulo the count, as librdkafka places keys by default.
    """
    return zlib.crc32(key) % partitions


def partitions_for(keys: Iterable[bytes], count: int, partitions: int) -> NDArray[np.int64]:
    """Return the partition of each of `count` keys: `partition_for`, without Python between them."""
    return np.fromiter(map(zlib.crc32, keys), np.int64, count) % partitions


def routing_key(source: str, episode_id: str | None, event_id: str | None = None) -> bytes:
    """Return the key that keeps an episode in one partition; without an episode, an event."""
    name = episode_id if episode_id is not None else event_id or ""
    return f"{source}\0{name}".encode()


def place(wanted: Iterable[tuple[bytes | None, int | None]], ends: Sequence[int]) -> list[int]:
    """Return the partition of each (key, explicit partition); `ends` are the partitions' ends.

    Messages with neither go round, from the partition that has had fewest: so they stay even also when
    many producers send one each.
    """
    count = len(ends)
    turn = min(range(count), key=ends.__getitem__)
    numbers = []
    for key, explicit in wanted:
        if explicit is not None:
            numbers.append(explicit)
        elif key is not None:
            numbers.append(zlib.crc32(key) % count)
        else:
            numbers.append(turn)
            turn = (turn + 1) % count
    return numbers


def assign(
    members: Mapping[int, Collection[str]], partitions: Mapping[str, int]
) -> dict[int, frozenset[Partition]]:
    """Share out the partitions of topics among members that name the topics they want.

    Every member computes the same from the same arguments. Each partition goes to the member with the
    fewest so far, the lowest number first, so equal wishes end at most one apart.
    """
    shares: dict[int, list[Partition]] = {member: [] for member in sorted(members)}
    for topic in sorted(partitions):
        willing = [member for member in shares if topic in members[member]]
        for number in range(partitions[topic] if willing else 0):
            fewest = min(willing, key=lambda member: len(shares[member]))
            shares[fewest].append(Partition(topic, number))
    return {member: frozenset(share) for member, share in shares.items()}
