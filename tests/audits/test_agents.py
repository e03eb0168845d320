"""Agents of one environment: out of step, with unequal rewards and ends, and mixed up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from tests.audits.episode_rows import steps_of
from validation.audits.agents import check_agents
from validation.audits.consistency import check_consistency
from validation.audits.finding import Finding

SPEC = ArchiveSpec(name="team", observation=Box(shape=(2,)), action=Discrete(n=2))
SHARED = SPEC.model_copy(update={"shared_reward": True})
Row = dict[str, Any]


def team(agents: str = "abc", length: int = 20, episodes: int = 2, explicit: bool = True) -> list[Row]:
    """Return the steps of agents that wander in an environment together, far from one another."""
    random = np.random.default_rng(7)
    rows = []
    for episode in range(episodes):
        for place, agent in enumerate(agents):
            path = 100.0 * place + np.cumsum(random.normal(size=(length + 1, 2)), axis=0)
            for step in range(length):
                over = step == length - 1
                rows.append(
                    {
                        "agent_id": agent,
                        "episode_id": f"e{episode}",
                        "step": step,
                        "observation": path[step].tolist(),
                        "next_observation": path[step + 1].tolist() if explicit or over else None,
                        "reward": float(step),
                        "terminated": over,
                    }
                )
    return rows


def changed(rows: list[Row], which: Callable[[Row], bool], **changes: Any) -> list[Row]:
    """Change some columns of some rows."""
    return [{**row, **changes} if which(row) else row for row in rows]


def at(agent: str, *steps: int) -> Callable[[Row], bool]:
    """Choose steps of an agent in the first episode."""
    return lambda row: row["episode_id"] == "e0" and row["agent_id"] == agent and row["step"] in steps


def found(rows: list[Row], spec: ArchiveSpec = SPEC) -> dict[str, Finding]:
    """Return the findings by their check."""
    return {finding.check: finding for finding in check_agents(steps_of(spec, rows), spec)}


def swap(row: Row) -> Row:
    """Give a row of one of two agents to the other."""
    return {**row, "agent_id": {"a": "b", "b": "a"}.get(row["agent_id"], row["agent_id"])}


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("spec", [SPEC, SHARED])
def test_a_team_in_step_gives_no_finding(spec: ArchiveSpec, explicit: bool) -> None:
    assert check_consistency(steps_of(spec, team(explicit=explicit)), spec) == []


def test_agents_of_other_environments_have_nothing_to_do_with_each_other() -> None:
    lonely = [*team("a", episodes=1), *[{**row, "episode_id": "f"} for row in team("b", 3, 1)]]
    assert found(lonely) == {}
    other = [*team("a", episodes=1), *[{**row, "source": "t"} for row in team("b", 3, 1)]]
    assert found(other) == {}
    assert found([]) == {}


def test_one_agent_may_die_before_the_others() -> None:
    rows = [row for row in team(episodes=1) if not at("b", *range(6, 20))(row)]
    assert found(changed(rows, at("b", 5), terminated=True)) == {}


def test_an_agent_that_is_left_behind() -> None:
    rows = [row for row in team() if not at("b", *range(12, 20))(row)]
    findings = found(rows)
    assert list(findings) == ["left_behind"]
    finding = findings["left_behind"]
    assert (finding.severity, finding.count, finding.total, finding.subject) == ("warning", 1, 6, "episodes")
    assert finding.examples[0]["agent_id"] == "b" and finding.examples[0]["last_step"] == 11


@pytest.mark.parametrize(("spec", "severity"), [(SPEC, "info"), (SHARED, "warning")])
def test_an_agent_without_the_end_of_the_others(spec: ArchiveSpec, severity: str) -> None:
    finding = found(changed(team(), at("c", 19), terminated=False), spec)["unequal_end"]
    assert (finding.severity, finding.column, finding.count) == (severity, "terminated", 1)
    assert finding.examples[0]["agent_id"] == "c"


def test_ends_of_different_kinds() -> None:
    rows = changed(team(), at("c", 19), terminated=False, truncated=True)
    assert found(rows) == {}
    assert found(rows, SHARED)["unequal_end"].count == 3


def test_a_shared_reward_that_is_not_one() -> None:
    rows = changed(team(), at("b", 3, 4), reward=9.5)
    assert found(rows) == {}
    finding = found(rows, SHARED)["unequal_reward"]
    assert (finding.severity, finding.column, finding.count, finding.total) == ("critical", "reward", 2, 40)
    assert finding.examples[0]["step"] == 3
    assert found(changed(team(), at("b", 3), reward=None), SHARED) == {}


@pytest.mark.parametrize("explicit", [True, False])
def test_agents_that_are_swapped_for_some_steps(explicit: bool) -> None:
    rows = [
        swap(row) if at("a", *range(5, 9))(row) or at("b", *range(5, 9))(row) else row
        for row in team(explicit=explicit)
    ]
    finding = found(rows)["mixed_agents"]
    assert (finding.severity, finding.column, finding.count) == ("critical", "agent_id", 4)
    keys = {(row["agent_id"], row["step"], row["other_agent_id"]) for row in finding.examples}
    assert keys == {("a", 5, "b"), ("b", 5, "a"), ("a", 9, "b"), ("b", 9, "a")}


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("name", ["b", "new"])
def test_rows_under_the_name_of_another_agent(explicit: bool, name: str) -> None:
    rows = changed(team(explicit=explicit), at("a", 7), agent_id=name)
    finding = found(rows)["mixed_agents"]
    keys = [(row["agent_id"], row["step"], row["other_agent_id"]) for row in finding.examples]
    assert (name, 7, "a") in keys and set(keys) <= {(name, 7, "a"), ("a", 8, name)}  # there, and back


def test_lost_rows_are_no_mixture() -> None:
    """They leave gaps, which the episodes tell."""
    random = np.random.default_rng(3)
    for explicit in (True, False):
        rows = [row for row in team(length=200, explicit=explicit) if random.random() > 0.05]
        assert "mixed_agents" not in found(rows)


def test_doubled_rows_are_no_mixture() -> None:
    rows = [*team(), *({**row, "event_id": "x"} for row in team() if row["step"] % 7 == 3)]
    assert found([row for row in rows if not at("a", 3)(row)]) == {}


def test_numbers_that_are_none_break_nothing() -> None:
    rows = changed(team("ab", 6), at("a", 2, 3), observation=[math.inf, math.nan])
    assert "mixed_agents" not in found(changed(rows, at("a", 1, 2), next_observation=None))
    assert "mixed_agents" not in found(
        [{**row, "observation": [math.nan] * 2} for row in team("ab", 6, 1, False)]
    )


def test_agents_of_discrete_worlds_are_followed_by_what_came_next() -> None:
    spec = ArchiveSpec(name="cells", observation=Discrete(n=500), action=Discrete(n=2))
    rows = [
        {**row, "observation": 100 * place + row["step"], "next_observation": 100 * place + row["step"] + 1}
        for place, agent in enumerate("ab")
        for row in team(agent, 10, 1)
    ]
    assert found(rows, spec) == {}
    mixed = found([swap(row) if row["step"] in (4, 5) else row for row in rows], spec)["mixed_agents"]
    assert mixed.count == 4
