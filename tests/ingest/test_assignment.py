"""Who gets what: the same everywhere, and evenly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.streams.assignment import assign, partition_for, partitions_for, place, routing_key
from schemas.protocols import Partition

TOPICS = ("a", "b", "c")


def test_a_key_has_its_partition_for_ever() -> None:
    # CRC-32 of the well-known check string is 0xCBF43926, in every implementation.
    for partitions in (1, 2, 3, 4, 7, 100):
        assert partition_for(b"123456789", partitions) == 0xCBF43926 % partitions


def test_similar_keys_spread_evenly() -> None:
    for partitions in (2, 3, 4, 6, 12, 16):
        counts = Counter(
            partition_for(routing_key("actor", f"run/{i}"), partitions) for i in range(partitions * 1000)
        )
        assert len(counts) == partitions
        assert min(counts.values()) > 800
        assert max(counts.values()) < 1200


def test_the_routing_key_is_of_the_episode_or_else_the_event() -> None:
    assert routing_key("s", "e", "v") == routing_key("s", "e") == b"s\0e"
    assert routing_key("s", None, "v") == b"s\0v"
    assert routing_key("s", "", "v") == b"s\0"


def test_keyless_messages_fill_up_who_has_fewest() -> None:
    assert place([(None, None)] * 5, [3, 1, 2]) == [1, 2, 0, 1, 2]
    assert place([(b"123456789", None), (b"123456789", 2), (None, 0)], [0, 0, 0]) == [0xCBF43926 % 3, 2, 0]


@given(
    st.dictionaries(st.integers(1, 50), st.sets(st.sampled_from(TOPICS), min_size=1)),
    st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 9)),
)
def test_every_partition_that_is_wanted_has_one_member(
    members: dict[int, set[str]], partitions: dict[str, int]
) -> None:
    shares = assign(members, partitions)
    assert shares.keys() == members.keys()
    given_out = Counter(partition for share in shares.values() for partition in share)
    wanted = set().union(*members.values())
    assert given_out == Counter(
        Partition(topic, number)
        for topic in partitions
        if topic in wanted
        for number in range(partitions[topic])
    )
    assert all(partition.topic in members[member] for member in shares for partition in shares[member])


@given(st.integers(1, 12), st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 9)))
def test_equal_wishes_end_at_most_one_apart(count: int, partitions: dict[str, int]) -> None:
    sizes = [len(share) for share in assign(dict.fromkeys(range(count), TOPICS), partitions).values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.binary()), st.integers(1, 300))
def test_many_keys_go_where_each_goes_alone(keys: list[bytes], partitions: int) -> None:
    together = partitions_for(keys, len(keys), partitions)
    assert together.tolist() == [partition_for(key, partitions) for key in keys]
