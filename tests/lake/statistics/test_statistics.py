"""Statistics of archives of every kind: what they say of spaces, ends, ranges and bad numbers."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from lake.statistics.results import ArchiveStatistics
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple
from tests.lake.archives import DAY, SPEC, append, landed_rows, make, refused_rows, row


def of_spaces(
    folder: Path, observation: Space, action: Space, *pairs: tuple[object, object]
) -> ArchiveStatistics:
    """Return statistics of steps with these observations and actions."""
    _, archive = make(folder, ArchiveSpec(name="demo", observation=observation, action=action))
    append(archive, *[row(step, observation=o, action=a) for step, (o, a) in enumerate(pairs)])
    return archive.statistics()


def test_an_episode_over_midnight_counts_where_it_began_with_all_its_steps(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(
        archive,
        *[row(step, event_time=DAY + timedelta(hours=8 * step), truncated=step == 4) for step in range(5)],
    )
    first, second, third = (date(2026, 1, day) for day in (1, 2, 3))
    of_first = archive.statistics(until=first)
    assert (of_first.rows, of_first.episodes.complete, of_first.episodes.truncated) == (2, 1, 1)
    assert of_first.returns["complete"].mean == 10 and of_first.lengths["complete"].max == 5
    rest = archive.statistics(since=second)
    assert (rest.rows, rest.episodes.count, rest.returns["all"].count) == (3, 0, 0)
    assert archive.statistics(since=second, until=third).last_date == "2026-01-02"


@pytest.mark.parametrize(
    ("steps", "ends", "complete"),
    [
        ([0, 1, 2], [2], True),
        ([0], [0], True),
        ([0, 1, 2], [], False),
        ([1, 2, 3], [3], False),
        ([0, 2], [2], False),
        ([0, 2, 2, 2, 4], [4], False),  # as many, and the same sum, as 0 to 4
        ([0, 1, 1, 2], [2], False),
        ([0, 1, 2], [1], False),
        ([0, 1, 2], [1, 2], False),
        ([0, 1, None], [1], False),
        ([0, 2**62, 2**62, 2**62, 4], [4], False),
    ],
)
def test_complete_is_from_0_to_an_end_each_step_once(
    steps: list[int | None], ends: list[int], complete: bool, tmp_path: Path
) -> None:
    _, archive = make(tmp_path)
    rows = [
        {**row(0), "step": step, "event_id": str(place), "terminated": step in ends}
        for place, step in enumerate(steps)
    ]
    append(archive, *rows)
    assert archive.statistics().episodes.complete == int(complete)


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 7, 1000])
def test_whole_episodes_of_any_length_are_complete(length: int, tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *[row(step, truncated=step == length - 1) for step in range(length)])
    assert archive.statistics().episodes.complete == 1


def test_choices_and_pairs_of_a_state_and_an_action(tmp_path: Path) -> None:
    found = of_spaces(
        tmp_path, Discrete(n=4, start=-1), Discrete(n=3, start=5), (-1, 5), (2, 7), (2, 7), (0, 5)
    )
    assert found.actions[0].choices[0].counts == ((5, 2), (7, 2))
    assert found.observations[0].choices[0].counts == ((-1, 1), (0, 1), (2, 2))
    assert found.coverage.pairs is not None
    assert (found.coverage.pairs.seen, found.coverage.pairs.possible) == (3, 12)
    assert [(one.name, one.seen, one.possible) for one in found.coverage.choices] == [
        ("observation", 3, 4),
        ("action", 2, 3),
    ]


def test_fields_components_and_texts(tmp_path: Path) -> None:
    observation = Dict(
        spaces={
            "pose": Box(shape=(2,)),
            "switches": MultiBinary(shape=(2,)),
            "task": Text(),
            "pair": Tuple(spaces=(Discrete(n=3), Scalar(dtype="timestamp"))),
        }
    )
    held = {"pose": [1.0, 2.0], "switches": [0, 1], "task": "läuft", "pair": {"item_0": 2, "item_1": DAY}}
    other = {"pose": [3.0, -2.0], "switches": [0, 0], "task": "", "pair": {"item_0": 0, "item_1": DAY}}
    found = of_spaces(tmp_path, observation, MultiDiscrete(nvec=(2, 3)), (held, [1, 2]), (other, [1, 0]))
    leaves = {leaf.name: leaf for leaf in found.observations}
    assert list(leaves) == [
        "observation.pose",
        "observation.switches",
        "observation.task",
        "observation.pair.item_0",
        "observation.pair.item_1",
    ]
    assert [(one.name, one.mean) for one in leaves["observation.pose"].spreads] == [
        ("observation.pose[0]", 2.0),
        ("observation.pose[1]", 0.0),
    ]
    assert [one.counts for one in leaves["observation.switches"].choices] == [((0, 2),), ((0, 1), (1, 1))]
    assert leaves["observation.task"].spreads[0].max == 5
    assert leaves["observation.pair.item_1"].spreads[0].std == 0
    assert [one.counts for one in found.actions[0].choices] == [((1, 2),), ((0, 1), (2, 1))]


def test_small_bytes_are_numbers_and_bounds_say_what_is_covered(tmp_path: Path) -> None:
    ram = Box(shape=(2,), dtype="uint8", low=0, high=255)
    arm = Box(shape=(1,), low=-1, high=1)
    found = of_spaces(
        tmp_path, ram, arm, (np.array([0, 255], np.uint8), [0.5]), (np.array([0, 7], np.uint8), [-0.5])
    )
    assert [(one.min, one.max) for one in found.observations[0].spreads] == [(0, 0), (7, 255)]
    covered = {share.name: (share.seen, share.possible) for share in found.coverage.bins}
    assert covered == {"observation[0]": (1, 20), "observation[1]": (2, 20), "action": (2, 20)}


def test_images_are_sampled_and_known_by_channel(tmp_path: Path) -> None:
    camera = Box(shape=(40, 40, 3), dtype="uint8", low=0, high=255)
    _, archive = make(tmp_path, ArchiveSpec(name="demo", observation=camera, action=Discrete(n=2)))
    image = np.zeros((40, 40, 3), np.uint8)
    image[..., 1] = 100
    image[:20, :, 2] = 200
    append(archive, *[row(step, observation=image) for step in range(1100)])
    (leaf,) = archive.statistics().observations
    assert (leaf.kind, leaf.rows, leaf.sampled) == ("pixels", 1024, True)
    everything, *channels = leaf.spreads
    assert [(one.mean, one.std) for one in channels] == [(0, 0), (100, 0), (100, 100)]
    assert everything.mean == pytest.approx(200 / 3) and everything.count == 3 * channels[0].count


def test_quantiles_of_values_are_within_a_percent(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    values = np.random.default_rng(0).lognormal(0, 2, 3000) * np.resize([1.0, -1.0, 0.0], 3000)
    append(archive, *[row(step, reward=float(value)) for step, value in enumerate(values)])
    rewards = archive.statistics().rewards
    assert rewards.quantiles is not None
    for name, share in {"p5": 0.05, "p50": 0.5, "p90": 0.9, "p95": 0.95}.items():
        exact = np.quantile(values, share, method="lower")
        assert rewards.quantiles[name] == pytest.approx(exact, rel=0.0101, abs=1e-12)
    assert rewards.histogram is not None and sum(rewards.histogram.counts) == 3000


def test_numbers_that_no_plot_can_hold(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    huge = [1.7e308, 1.7e308, -1.7e308, 5e-324, 1e300]
    rows = [row(0, episode_id=f"e{place}", reward=value, terminated=True) for place, value in enumerate(huge)]
    append(archive, *rows, *[{**rows[0], "step": step} for step in (1, 2)])
    found = archive.statistics()
    assert found.rewards.count == 7 and found.rewards.max == 1.7e308
    assert found.returns["all"].count + found.returns["all"].missing == 5
    json.dumps(found.to_dict(), allow_nan=False)


def test_rows_that_are_not_finite_or_never_came(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    rewards = [None, math.nan, math.inf, 1.0]
    rows = [
        row(0, episode_id=f"e{place}", reward=reward, terminated=True) for place, reward in enumerate(rewards)
    ]
    append(archive, *rows)
    found = archive.statistics()
    assert (found.rewards.count, found.rewards.missing, found.rewards.not_finite) == (1, 1, 2)
    assert found.episodes.without_return == 3 and found.returns["complete"].mean == 1


def test_flags_refused_rows_and_lag(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    landed = DAY + timedelta(seconds=90)
    archive.table("steps").append(landed_rows(SPEC, 4, flags=["odd"], ingested_at=landed), {}, {})
    archive.table("steps").append(landed_rows(SPEC, 6, ingested_at=landed, policy_version="p"), {}, {})
    bad = {"reasons": ["in_space(action)"], "source": "s", "policy_version": "p", "ingested_at": DAY}
    place = {"stream_topic": "t", "stream_partition": 0, "stream_row": 0}
    refused = [bad | place | {"stream_offset": n, "date": f"2026-01-0{1 + n}"} for n in range(3)]
    archive.table("quarantine").append(refused_rows(SPEC, *refused), {}, {})
    found = archive.statistics()
    assert (found.flagged, found.quarantined) == (4, 3)
    assert [(one.reason, one.rows) for one in found.quarantine] == [("in_space(action)", 3)]
    assert found.lag.min == found.lag.max == 90
    assert archive.statistics(since=date(2026, 1, 2)).quarantined == 2
    assert archive.statistics(policy="p").quarantined == 3
    assert archive.statistics(policy="' or true --").quarantined == 0
    assert archive.statistics(source="other").quarantined == 0
    assert archive.statistics(policy="p").over_time[0].bytes is None


def test_policies_that_share_an_episode_get_its_rows_and_not_its_return(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    alone = [row(step, episode_id="alone", policy_version="p", terminated=step == 1) for step in range(2)]
    mixed = [
        row(step, episode_id="mixed", policy_version="pq"[step], terminated=step == 1) for step in range(2)
    ]
    append(archive, *alone, *mixed)
    found = archive.statistics()
    assert [(one.name, one.rows, one.episodes, one.mean_return) for one in found.policies] == [
        ("p", 3, 1, 1.0),
        ("q", 1, 0, None),
    ]
    assert found.episodes.count == 2


def test_periods_are_as_asked_or_as_the_range_asks(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *[row(0, episode_id=str(n), event_time=DAY + timedelta(days=n)) for n in (0, 4, 5, 70)])
    assert archive.statistics().by == "week"
    assert [one.name for one in archive.statistics(by="month").over_time] == ["2026-01", "2026-03"]
    weeks = archive.statistics(by="week", until=date(2026, 2, 1)).over_time
    assert [(one.name, one.rows) for one in weeks] == [("2025-12-29", 1), ("2026-01-05", 2)]
    assert archive.statistics(until=date(2026, 2, 1)).by == "day"
    assert [gap.days for gap in archive.statistics().gaps] == [3, 64]


def test_what_is_kept_where_and_how_large_it_is(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *[row(0, episode_id=str(n), event_time=DAY + timedelta(days=n)) for n in (0, 1)])
    sizes = sum(size for _, _, size in archive.table("steps").file_sizes())
    found = archive.statistics()
    (tier,) = found.tiers
    assert (tier.name, tier.files, tier.rows, tier.bytes) == ("hot", 2, 2, sizes)
    assert found.bytes_per_step == sizes / 2
    assert sum(one.bytes or 0 for one in found.over_time) == sizes


def test_an_empty_archive_and_an_empty_range(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for found in (archive.statistics(), archive.statistics(since=date(2030, 1, 1), policy="p")):
        assert found.rows == found.episodes.count == found.dates == 0
        assert not (found.over_time or found.sources or found.tiers)
        assert found.first_date is None and found.rewards.mean is None
        json.dumps(found.to_dict(), allow_nan=False)
    append(archive, row(0))
    assert archive.statistics(source="nobody").rows == 0
    assert archive.statistics(until=date(1999, 1, 1)).rows == 0


def test_a_range_that_ends_before_it_begins(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    with pytest.raises(UsageError, match="from 2026-01-02 to 2026-01-01"):
        archive.statistics(date(2026, 1, 2), date(2026, 1, 1))


def test_columns_that_came_later(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    archive.evolve(SPEC.model_copy(update={"extras": {"turn": Discrete(n=4)}}))
    append(archive, row(1, turn=3))
    assert lake.archive("demo").statistics().rows == 2
