"""The wizard: what it proposes, with which evidence, and that its files carry a log into an archive."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.mapping import RecordMapping
from lake import Lake
from replaylake.flows.inferring import Proposal, infer
from replaylake.flows.inferring.words import WORDS
from schemas.errors import NotFoundError, ReplayLakeError, UsageError
from tests.cli.command import call, ok
from tests.mapping.samples import ndjson

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def played() -> list[Row]:
    """Steps of CartPole, played at random."""
    return list(_play(12))


def _play(episodes: int) -> Iterator[Row]:
    env = gymnasium.make("CartPole-v1")
    rng = random.Random(7)
    for episode in range(episodes):
        observation, _ = env.reset(seed=episode)
        ended, turn = False, 0
        while not ended:
            action = rng.randrange(2)
            following, reward, terminated, truncated, _ = env.step(action)
            ended = bool(terminated or truncated)
            yield {
                "episode": f"e{episode}",
                "turn": turn,
                "obs": [float(one) for one in observation],
                "action": action,
                "reward": float(reward),
                "terminated": bool(terminated),
                "truncated": bool(truncated),
            }
            observation, turn = following, turn + 1
    env.close()


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> str:
    """Write rows as a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def why(proposal: Proposal, column: str) -> str:
    """Return the evidence for a column."""
    return next(one.line() for one in proposal.evidence if one.column == column)


def carried(file: str) -> list[Row]:
    """Propose, create, publish and ingest by the command; return the rows that landed, in order."""
    ok("archive", "infer", file, "--name", "log", "--output", "proposed")
    ok("archive", "create", "log", "--spec", "proposed/spec.yaml", "--suite", "proposed/suite.json")
    ok("publish", "log", file, "--mapping", "proposed/mapping.yaml")
    ok("ingest", "log", "--once")
    found = Lake("lake").sql("SELECT * FROM log.steps ORDER BY episode_id, step").pl()
    return found.to_dicts()


def compare(landed: Sequence[Row], played: Sequence[Row]) -> None:
    """Compare what landed with what was played."""
    wanted = sorted(played, key=lambda row: (row["episode"], row["turn"]))
    assert [(row["episode_id"], row["step"]) for row in landed] == [
        (row["episode"], row["turn"]) for row in wanted
    ]
    for name in ("action", "reward", "terminated", "truncated"):
        assert [row[name] for row in landed] == [row[name] for row in wanted]
    found = np.array([row["observation"] for row in landed], np.float32)
    assert np.array_equal(found, np.array([row["obs"] for row in wanted], np.float32))


def test_a_table_of_a_played_game_lands_as_it_was_played(folder: Path, played: list[Row]) -> None:
    rows = [
        {
            "episode_id": row["episode"],
            "step": row["turn"],
            **{f"x{place}": value for place, value in enumerate(row["obs"])},
            **{name: row[name] for name in ("action", "reward", "terminated", "truncated")},
            "timestamp": f"2026-03-01T10:00:{place % 60:02d}Z",
        }
        for place, row in enumerate(played)
    ]
    file = write_csv(folder / "cart.csv", rows)
    proposal = infer(file)
    episodes = len({row["episode"] for row in played})
    assert (
        why(proposal, "episode_id") == f"episode_id ← episode_id: {episodes} distinct values, each contiguous"
    )
    assert "4 numbers, common prefix 'x'" in why(proposal, "observation")
    assert f"true {episodes} times, at ends of episodes {episodes} of {episodes}" in why(
        proposal, "terminated"
    )
    assert f"ISO 8601 in {len(rows)} of {len(rows)}" in why(proposal, "event_time")
    assert f"rises by 1 in {episodes} of {episodes} episodes" in why(proposal, "step")
    assert proposal.spec == {
        "observation": {"type": "box", "shape": [4], "dtype": "float32"},
        "action": {"type": "discrete", "n": 2},
    }
    assert proposal.trial is not None and proposal.trial.accepted == len(rows)
    compare(carried(file), played)


def test_lines_of_a_played_game_land_as_it_was_played(folder: Path, played: list[Row]) -> None:
    rows = [
        {
            "meta": {"session": row["episode"], "timestep": row["turn"]},
            "state": row["obs"],
            "move": ["left", "right"][row["action"]],
            "rew": row["reward"],
            "done": int(row["terminated"]),
            "timeout": row["truncated"],
            "ts": 1_770_000_000_000 + 20 * place,
            "p": 0.5,
        }
        for place, row in enumerate(played)
    ]
    (folder / "game.ndjson").write_bytes(ndjson(rows))
    proposal = infer("game.ndjson")
    assert proposal.mapping["columns"]["episode_id"] == "$.meta.session"
    assert proposal.mapping["columns"]["action"] == {"field": "move", "values": {"left": 0, "right": 1}}
    assert proposal.mapping["columns"]["event_time"] == {"field": "ts", "time": "epoch_ms"}
    assert "2 distinct texts" in why(proposal, "action")
    assert "zeros and ones" in why(proposal, "terminated")
    landed = carried("game.ndjson")
    compare(landed, played)
    assert landed[0]["action_log_prob"] == pytest.approx(np.log(0.5))


def test_a_table_in_other_words_has_its_signs_found_out(folder: Path, played: list[Row]) -> None:
    rows = [
        {
            "obs_0": row["obs"][0],
            "obs_1": row["obs"][1],
            "next_obs_0": row["obs"][2],
            "next_obs_1": row["obs"][3],
            "a": row["action"],
            "r": "NA" if place % 9 == 0 else row["reward"],
            "done": row["terminated"],
            "ep": row["episode"],
            "t": f"{row['turn']}.0",
            "at": "31/12/2025 10:00:00",
        }
        for place, row in enumerate(played)
    ]
    file = write_csv(folder / "semi.csv", rows, ";")
    proposal = infer(file)
    assert proposal.mapping["source"]["csv"] == {"delimiter": ";", "nulls": ["NA"]}
    assert proposal.mapping["columns"]["step"] == {"expr": 'col("t").cast(Float64)'}
    assert proposal.mapping["columns"]["next_observation"] == ["next_obs_0", "next_obs_1"]
    assert proposal.undecided == ("event_time: the zone of these times, such as UTC or Europe/Berlin",)
    assert any("'done' is taken for an end" in note for note in proposal.notes)
    ok("archive", "infer", file, "--output", "out")
    lines = Path("out/mapping.yaml").read_text().splitlines()
    number = next(place for place, line in enumerate(lines, 1) if "<fill in" in line)
    with pytest.raises(UsageError, match=f"mapping.yaml', line {number} is to be filled in: the zone"):
        RecordMapping.load("out/mapping.yaml")
    filled = "\n".join(lines).replace(
        '"<fill in: the zone of these times, such as UTC or Europe/Berlin>"', "Europe/Berlin"
    )
    Path("out/mapping.yaml").write_text(filled)
    ok("archive", "create", "semi", "--spec", "out/spec.yaml", "--suite", "out/suite.json")
    shown = ok("publish", "semi", file, "--mapping", "out/mapping.yaml", "--dry-run", "--json").document
    assert (shown["records"], shown["accepted"]) == (len(rows), len(rows))


def _clicks() -> list[Row]:
    rng = random.Random(3)
    rows, time = [], 1_770_000_000_000
    for session in range(40):
        about = {
            "userId": f"u{session % 9}",
            "sessionId": f"s{session}",
            "device": rng.choice(["phone", "desk"]),
        }
        for _ in range(rng.randint(2, 6)):
            time += rng.randint(1000, 60_000)
            event = {**about, "hour": rng.randint(0, 23), "ts": time, "item": f"i{rng.randint(1, 5)}"}
            rows.append({**event, "event": "view"})
            if rng.random() < 0.4:
                time += 700
                rows.append({**event, "ts": time, "event": "click"})
    return rows


def test_a_log_of_clicks_becomes_sessions_with_rewards(folder: Path) -> None:
    rows = _clicks()
    (folder / "clicks.ndjson").write_bytes(ndjson(rows))
    proposal = infer("clicks.ndjson")
    assert proposal.mapping["timeline"] == {
        "session": "session_id",
        "timeout": "30m",
        "kind": "event",
        "steps": ["view"],
        "rewards": [{"values": ["click"], "window": "1h", "value": 1.0, "key": "item"}],
    }
    assert "40 distinct values" in why(proposal, "timeline.session")
    assert proposal.spec["action"] == {"type": "discrete", "n": 5}
    landed = carried("clicks.ndjson")
    views = sum(row["event"] == "view" for row in rows)
    assert len(landed) == views - 40  # the last of each session tells what came next, and is no step
    assert 0 < sum(row["reward"] for row in landed) <= views
    assert all(row["observation"][:3].count(1.0) == 1 for row in landed)


def test_a_bandit_log_without_episodes_is_one_decision_a_record(folder: Path) -> None:
    rng = random.Random(1)
    rows = [
        {"arm": rng.randrange(3), "reward": rng.random(), "propensity": 1 / 3}
        | {"age": rng.randint(20, 60), "vip": rng.random() < 0.5}
        for _ in range(200)
    ]  # fmt: skip
    (folder / "bandit.json").write_text(json.dumps({"rows": rows, "made": "by hand"}))
    proposal = infer("bandit.json")
    assert proposal.mapping["source"] == {"format": "json", "records": "$.rows[*]"}
    assert proposal.mapping["columns"]["terminated"] == {"const": True}
    assert proposal.mapping["columns"]["action_probability"] == "propensity"
    landed = carried("bandit.json")
    assert len(landed) == 200
    assert sorted(row["reward"] for row in landed) == sorted(row["reward"] for row in rows)


def test_a_typed_table_and_images_of_lists(folder: Path, played: list[Row]) -> None:
    frame = pl.DataFrame(
        {
            "episode": [row["episode"] for row in played],
            "step": [row["turn"] for row in played],
            "observation": [[row["obs"][:2], row["obs"][2:]] for row in played],
            "action": [[row["obs"][0] / 3, 0.5] for row in played],
            "reward": [row["reward"] for row in played],
            "done": [row["terminated"] for row in played],
            "legal_actions": [[True, False]] * len(played),
        }
    )
    frame.write_parquet(folder / "typed.parquet")
    proposal = infer("typed.parquet")
    assert proposal.spec["observation"]["shape"] == [4]
    assert proposal.spec["action"]["type"] == "box"
    assert "action_mask" not in proposal.mapping["columns"]
    assert proposal.trial is not None and proposal.trial.accepted == len(played)


def test_what_cannot_be_decided_is_asked_for(folder: Path) -> None:
    file = write_csv(
        folder / "odd.csv", [{"name": f"n{place}", "step": place, "ep": 1} for place in range(30)]
    )
    proposal = infer(file)
    assert {question.partition(":")[0] for question in proposal.undecided} == {
        "observation",
        "action",
        "terminated",
    }
    assert proposal.trial is None
    outcome = ok("archive", "infer", file, "--output", "out")
    assert "For you to fill in" in outcome.out
    created = call("archive", "create", "odd", "--spec", "out/spec.yaml")
    assert created.code == 2
    assert "line 2 is to be filled in: the observation space" in created.err
    published = call("publish", "odd", file, "--mapping", "out/mapping.yaml")
    assert published.code == 2


def test_nothing_is_written_over_what_is_there_or_without_being_asked(
    folder: Path, played: list[Row]
) -> None:
    (folder / "a.ndjson").write_bytes(ndjson(played[:50]))
    before = sorted(folder.iterdir())
    shown = ok("archive", "infer", "a.ndjson")
    assert sorted(folder.iterdir()) == before
    assert "columns:" in shown.out and "observation ← obs" in shown.out
    ok("archive", "infer", "a.ndjson", "--output", "out")
    Path("out/suite.json").write_text("mine")
    again = call("archive", "infer", "a.ndjson", "--output", "out")
    assert again.code == 2 and "exists already" in again.err
    assert Path("out/suite.json").read_text() == "mine"
    document = ok("archive", "infer", "a.ndjson", "--json").document
    assert document["undecided"] == []
    assert document["mapping"]["columns"]["observation"] == {"list": "obs"}
    assert document["trial"]["accepted"] == 50


def test_a_file_that_is_packed_has_the_same_proposal(folder: Path, played: list[Row]) -> None:
    (folder / "a.ndjson").write_bytes(ndjson(played))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(ndjson(played)))
    assert infer("a.ndjson").mapping == infer("b.ndjson.gz").mapping


def test_files_that_say_nothing(folder: Path) -> None:
    (folder / "empty.csv").write_text("")
    (folder / "head.csv").write_text("a,b\n")
    for file in ("empty.csv", "head.csv"):
        with pytest.raises(UsageError):
            infer(file)
    with pytest.raises(NotFoundError):
        infer("none.csv")
    with pytest.raises(UsageError):
        infer("head.csv", name="No Name")


def test_every_value_of_a_proposal_reads_back_as_it_was_written(folder: Path) -> None:
    odd = [
        "no",
        "1e3",
        "12:30:00",
        "2026-01-01",
        "a: b",
        "#x",
        "'q'",
        '"',
        "ä",
        "null",
        "-",
        "007",
        "{",
        "x,y",
    ]
    rows = [
        {"episode": place % 2, "step": place // 2, "action": odd[place % len(odd)]}
        | {"x": place * 1e-7, "y": 0.5, "done": False}
        for place in range(60)
    ]  # fmt: skip
    (folder / "odd.ndjson").write_bytes(ndjson(rows))
    proposal = infer("odd.ndjson")
    ok("archive", "infer", "odd.ndjson", "--output", "out")
    loaded = RecordMapping.load("out/mapping.yaml")
    assert loaded.hash == RecordMapping.from_dict(proposal.mapping).hash
    assert proposal.trial is not None and proposal.trial.accepted == 60


def proposed(name: str, rows: Sequence[Mapping[str, Any]]) -> Proposal:
    """Propose an archive for lines of JSON."""
    Path(name).write_bytes(ndjson(rows))
    return infer(name)


def test_states_and_actions_of_all_kinds() -> None:
    base = [{"ep": place // 10, "t": place % 10, "r": 0, "done": place % 10 == 9} for place in range(40)]

    def spaces(**more: Any) -> tuple[Any, Any]:
        rows = [{**row, **{key: make(place) for key, make in more.items()}} for place, row in enumerate(base)]
        proposal = proposed("kinds.ndjson", rows)
        assert proposal.trial is not None
        assert proposal.trial.accepted == 40, (proposal.trial.reasons, proposal.trial.refused)
        return proposal.spec["observation"], proposal.spec["action"]

    state, action = spaces(state=lambda place: place % 16, action=lambda place: place % 2 == 0)
    assert state == {"type": "discrete", "n": 16}
    assert action == {"type": "discrete", "n": 2}
    state, action = spaces(state=lambda place: place / 7, action=lambda place: place / 3 - 5)
    assert state == {"type": "box", "shape": [1], "dtype": "float64"}
    assert action["type"] == "box"
    state, action = spaces(
        **{
            "pos.x": lambda place: place / 4,
            "speed": lambda place: place * 0.5,
            "wet": lambda place: place % 3 == 0,
        },
        action=lambda place: [place % 3, place % 5],
    )
    assert state["shape"] == [3]
    assert action == {"type": "multi_discrete", "nvec": [3, 5]}
    state, action = spaces(
        obs=lambda place: {"x": place / 2, "v": -place},
        action_0=lambda place: place % 4,
        action_1=lambda place: place % 2,
    )
    assert state["shape"] == [2]
    assert action == {"type": "multi_discrete", "nvec": [4, 2]}
    state, action = spaces(
        x=lambda place: [float(place)] * 3, verb=lambda place: f"v{place}", mask=lambda place: [1] * 4
    )
    assert state["shape"] == [3]
    assert action["n"] == 40


def test_many_texts_as_actions_are_hashed() -> None:
    rows = [{"action": f"item {place}", "obs": [0.5, place]} for place in range(300)]
    proposal = proposed("many.ndjson", rows)
    assert proposal.mapping["columns"]["action"] == {"hash": "action", "slots": 2048}
    assert "some share one" in why(proposal, "action")


def test_masks_and_probabilities() -> None:
    rows = [
        {
            "obs": [0.0, 1.0],
            "action": place % 3,
            "log_prob": -0.5,
            "mask": [1, 1, place % 3 // 2],
            "agent": "a",
        }
        for place in range(9)
    ]
    proposal = proposed("masks.ndjson", rows)
    assert proposal.mapping["columns"]["action_mask"] == {"list": "mask", "values": {0: False, 1: True}}
    assert proposal.mapping["columns"]["action_log_prob"] == "log_prob"
    assert proposal.mapping["columns"]["agent_id"] == "agent"
    assert proposal.trial is not None and proposal.trial.rejected == 0


def test_events_that_end_and_that_say_nothing() -> None:
    kinds = ["show", "show", "buy", "heartbeat", "logout"]
    rows = [
        {"user": f"u{place // 5}", "at": 1_770_000_000 + place, "type": kinds[place % 5]}
        | {"move": place % 2, "x": place / 2}
        for place in range(50)
    ]  # fmt: skip
    proposal = proposed("events.ndjson", rows)
    timeline = proposal.mapping["timeline"]
    assert timeline["ends"] == [{"values": ["logout"], "terminated": True}]
    assert timeline["ignores"] == ["heartbeat"]
    assert timeline["steps"] == ["show"]
    assert proposal.undecided == ("timeline.rewards: the column that an event and its reward have alike",)
    text = proposal.files()["mapping.yaml"]
    assert '"<fill in: the column that an event and its reward have alike>"' in text


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-03-01 10:00:00", {"time": "iso"}),
        ("03/04/2026 10:00", {"time": "%d/%m/%Y %H:%M"}),
        ("01.03.2026 10:00:00", {"time": "%d.%m.%Y %H:%M:%S"}),
    ],
)
def test_times_without_a_zone_ask_for_it(value: str, form: Row) -> None:
    proposal = proposed("t.ndjson", [{"obs": [0.5, 1], "action": 1, "when": value}] * 3)
    found = proposal.mapping["columns"]["event_time"]
    assert {**form, "field": "when", "zone": found["zone"]} == found
    assert found["zone"].startswith("<fill in")


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers() | st.just(10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["1", "0.5", "NaN", "true", "2026-01-01T00:00:00Z", "[1]", "[", "😀", "\ud800", "\x00", "a\nb"]
    ),
    st.lists(st.integers(0, 2) | st.none() | st.text(max_size=1), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
names = st.sampled_from([word for words in WORDS.values() for word in words[:3]]) | st.text(max_size=4)
logs = st.lists(names, min_size=1, max_size=7, unique=True).flatmap(
    lambda keys: st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(keys, values)), min_size=1, max_size=6
    )
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs)
def test_whatever_a_log_holds_a_proposal_is_made_and_reads_back(folder: Path, rows: list[Row]) -> None:
    try:
        proposal = proposed("any.ndjson", rows)
    except ReplayLakeError:
        return
    for name, text in proposal.files().items():
        (folder / name).write_bytes(text.encode("utf-8"))
    if proposal.undecided:
        with pytest.raises(UsageError, match="is to be filled in"):
            RecordMapping.load(folder / "mapping.yaml")
        return
    loaded = RecordMapping.load(folder / "mapping.yaml")
    assert loaded.hash == RecordMapping.from_dict(proposal.mapping).hash
    spec = yaml.safe_load((folder / "spec.yaml").read_text(encoding="utf-8"))
    assert spec == proposal.spec
