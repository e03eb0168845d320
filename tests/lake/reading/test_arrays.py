"""Arrays, the cache of them and blocks agree with a slow reference, at every kind of an episode's end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive, StepArrays, read_arrays
from lake.reading import open_blocks
from schemas.archive_spec import ArchiveSpec
from schemas.errors import DataError, UsageError
from schemas.spaces import Box, Discrete, Scalar, Text
from tests.lake.archives import SPEC as PLAIN
from tests.lake.archives import append, make, row
from tests.lake.logs import logs
from tests.lake.reading.samples import COLUMNS, SPEC, as_row, close, numbers_of, returns
from tests.lake.reference import Transition, transitions


@settings(max_examples=15, deadline=None)
@given(
    log=logs(),
    cuts=st.tuples(st.integers(0, 12), st.integers(0, 20)),
    again=st.sets(st.integers(0, 20), max_size=4),
    n=st.integers(1, 5),
    gamma=st.sampled_from([0.5, 1.0]),
)
def test_arrays_agree_with_the_reference(
    log: list[dict[str, Any]], cuts: tuple[int, int], again: set[int], n: int, gamma: float
) -> None:
    log = log + [log[place] for place in sorted(again) if place < len(log)]  # sent twice, on another day
    expected = transitions(log)
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder), SPEC)
        rows = [as_row(held, number) for number, held in enumerate(log)]
        first, second = sorted(cuts)
        for part in (rows[:first], rows[first:second], rows[second:]):
            if part:
                append(archive, *part)
        cache = Path(folder) / "cache"
        if not expected:
            for chosen in (None, cache):
                with pytest.raises(DataError, match="no transition among them"):
                    read_arrays(archive.snapshot(), COLUMNS, cache=chosen)
            return
        for read in (
            read_arrays(archive.snapshot(), COLUMNS),
            read_arrays(archive.snapshot("source <> 'x'"), COLUMNS),  # by way of SQL
            read_arrays(archive.snapshot(), COLUMNS, cache=cache),  # made
            read_arrays(archive.snapshot(), COLUMNS, cache=cache),  # found
        ):
            check(read, expected, n, gamma)
        check_blocks(archive, cache, expected, n, gamma)


def check(read: StepArrays, expected: list[Transition], n: int, gamma: float) -> None:
    """Compare all columns, and the returns."""
    assert len(read) == len(expected)
    assert numbers_of(read.column("observation")).tolist() == [held.observation for held in expected]
    following = [held.next_observation for held in expected]
    known = np.array([number is not None for number in following])
    found = read.next_observation()
    assert isinstance(found, dict)
    camera = found["camera"]
    assert isinstance(camera, np.ndarray)
    assert not camera[~known].any()
    batch = read.batch(np.flatnonzero(known))
    assert numbers_of(batch["next_observation"]).tolist() == [held for held in following if held is not None]
    action = read.array("action")
    assert action.tolist() == [[int(held.observation), held.action] for held in expected]
    assert plain(read, "reward") == [held.reward for held in expected]
    assert plain(read, "terminated") == [held.terminated for held in expected]
    assert read.follows.tolist() == [held.follows for held in expected]
    given_returns = returns(expected, n, gamma)
    made = read.n_step(n, gamma)
    assert close(made.reward.tolist(), [held[0] for held in given_returns])
    assert close(made.discount.tolist(), [held[1] for held in given_returns])
    assert made.steps.tolist() == [held[3] for held in given_returns]
    assert [expected[last].next_observation or 0.0 for last in made.last] == [
        held[2] for held in given_returns
    ]


def check_blocks(archive: Archive, cache: Path, expected: list[Transition], n: int, gamma: float) -> None:
    """Compare blocks with the reference: each transition comes once, with its own return."""
    wanted = sorted(
        (held.observation, *given) for held, given in zip(expected, returns(expected, n, gamma), strict=True)
    )
    # So little memory that a few steps are read at a time, and that there are many parts.
    arguments: Any = {"seed": 3, "columns": COLUMNS, "n": n, "gamma": gamma, "memory_bytes": 60_000}
    with open_blocks(archive.snapshot(), block_rows=2, cache=cache, **arguments) as blocks:
        assert blocks.transitions == len(expected)
        found = []
        for block in blocks:
            after = np.asarray(block["next_observation"]["pair"]["item_1"][:, 0])
            numbers = numbers_of(block["observation"])
            found += list(
                zip(
                    numbers.tolist(),
                    *(block[name].tolist() for name in ("reward", "discount")),
                    after.tolist(),
                    block["steps"].tolist(),
                    strict=True,
                )
            )
        assert len(found) == len(wanted)
        for one, other in zip(sorted(found), wanted, strict=True):
            assert close(one, other)


def plain(read: StepArrays, name: str) -> list[Any]:
    """Return a column of plain values."""
    return list(read.array(name).tolist())


def test_other_columns(tmp_path: Path) -> None:
    spec = PLAIN.model_copy(
        update={"extras": {"load": Scalar(dtype="float64"), "seen": Scalar(dtype="timestamp")}}
    )
    _, archive = make(tmp_path, spec)
    append(
        archive,
        row(0, load=2.5, action_log_prob=-0.5, seen=row(0)["event_time"], action_mask=[True, False]),
        row(1, seen=row(0)["event_time"]),
        row(2, seen=row(0)["event_time"], episode_id="f", source="other", terminated=True, discount=0.25),
    )
    read = read_arrays(
        archive.snapshot(), ("action_log_prob", "action_mask", "extras", "keys", "priority", "discount")
    )
    assert np.array_equal(read.array("load"), [2.5, np.nan], equal_nan=True)
    assert np.array_equal(read.array("action_log_prob"), [-0.5, np.nan], equal_nan=True)
    assert plain(read, "action_mask") == [[True, False], [True, True]]
    assert plain(read, "seen") == [row(0)["event_time"].replace(tzinfo=None)] * 2
    assert plain(read, "priority") == [1.0, 1.0]
    assert plain(read, "discount") == [1.0, 0.25]
    assert plain(read, "step") == [0, 2]
    assert plain(read, "episode") == [0, 1]
    assert read.episodes is not None
    assert read.episodes.rows() == [("default", "default", "e"), ("other", "default", "f")]
    with pytest.raises(UsageError, match="The column 'observation' was not read"):
        read.column("observation")
    with pytest.raises(UsageError, match="'next_observation' was not read"):
        read.next_observation()


def test_a_value_that_is_missing_is_refused_where_no_number_says_so(tmp_path: Path) -> None:
    spec = PLAIN.model_copy(update={"extras": {"turn": Discrete(n=3)}})
    _, archive = make(tmp_path, spec)
    append(archive, row(0), row(1, turn=1))
    with pytest.raises(DataError, match="1 of 2 rows have no turn, and int64 has no value for that"):
        read_arrays(archive.snapshot(), ("observation", "turn"))
    assert read_arrays(archive.snapshot("turn = 1 or next_observation is null")).steps == 2


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("reward", "colour"), "The reader has no column 'colour'. There are action,"),
        (("extras",), "cannot read shop: texts are no array of numbers"),
    ],
)
def test_columns_that_cannot_be(tmp_path: Path, columns: tuple[str, ...], said: str) -> None:
    _, archive = make(tmp_path, PLAIN.model_copy(update={"extras": {"shop": Text()}}))
    append(archive, row(0), row(1))
    with pytest.raises(UsageError) as raised:
        read_arrays(archive.snapshot(), columns)
    assert said in str(raised.value)


def test_a_continuous_action_has_no_mask(tmp_path: Path) -> None:
    spec = ArchiveSpec(name="demo", observation=Discrete(n=9), action=Box(shape=(1,)))
    _, archive = make(tmp_path, spec)
    append(archive, row(0, observation=0, action=[0.5]), row(1, observation=1, action=[0.5]))
    with pytest.raises(UsageError, match="A mask of a box action has no fixed size"):
        read_arrays(archive.snapshot(), ("action_mask",))


def test_each_observation_is_held_once(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    steps = [row(step) for step in range(99)] + [row(99, truncated=True, next_observation=[-1.0])]
    append(archive, *steps)
    read = read_arrays(archive.snapshot())
    assert isinstance(read.frames, np.ndarray)
    assert read.frames[:, 0].tolist() == [*range(100), -1.0]
    assert read.place.tolist() == list(range(100))
    assert read.next_place.tolist() == list(range(1, 101))
    assert np.shares_memory(read.array("observation"), read.frames)


@pytest.mark.parametrize("turns", [1, -1], ids=["in order", "backwards"])
def test_arrays_of_many_pages(turns: int, tmp_path: Path) -> None:
    spec = ArchiveSpec(name="demo", observation=Box(shape=(1000,), dtype="float64"), action=Discrete(n=2))
    _, archive = make(tmp_path, spec)
    values = np.random.default_rng(0).normal(size=(400, 1000))
    steps = [row(step, observation=list(values[step])) for step in range(400)]
    append(archive, *steps[::turns])
    for cache in (None, tmp_path / "cache"):
        read = read_arrays(archive.snapshot(), cache=cache)
        assert np.array_equal(read.array("observation"), values[:-1])
        assert np.array_equal(read.array("next_observation"), values[1:])


def test_rows_come_in_the_same_order_from_whichever_files(tmp_path: Path) -> None:
    steps = [
        row(step, episode_id=episode, source=source)
        for step in range(4)
        for episode in "gf"
        for source in "ba"
    ]
    arrays = []
    for name, parts in {"one": [steps], "many": [steps[5:], steps[:5][::-1]]}.items():
        _, archive = make(tmp_path / name)
        for part in parts:
            append(archive, *part)
        arrays.append(read_arrays(archive.snapshot(), ("observation", "next_observation", "keys")).arrays)
    one, many = arrays
    assert one.keys() == many.keys()
    for name, array in one.items():
        assert array.tobytes() == many[name].tobytes(), name


def test_turns_that_are_further_apart_than_64_bits_say_are_in_order(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    turns = (2**63 - 1, 5, -(2**63), 6, 0)
    append(archive, *(row(turn, source="a", agent_id="b", terminated=True) for turn in turns))
    assert read_arrays(archive.snapshot(), ("keys",)).array("step").tolist() == sorted(turns)
