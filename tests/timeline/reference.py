"""The timeline as `docs/timeline.md` tells it: plain, slow, and over the whole log at once.

It shares no code with the two real ones but the spec. It knows no limits of what is held.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from ingest.timeline import RewardEvents, TimelineSpec
from tests.timeline.events import START, Line


@dataclass
class Entry:
    """An event that was accepted; where it is a step, with what is found about it."""

    line: Line
    time: int
    role: str
    number: int = -1
    session: list[Entry] = field(default_factory=list)
    brought: dict[int, list[float]] = field(default_factory=dict)
    terminated: bool = False
    truncated: bool = False
    next_observation: tuple[float, ...] | None = None
    gap: int = 0
    folded: bool = False
    ordinal: int = 0


@dataclass
class Outcome:
    """What became of a log: rows of the archive, and what was refused, as (raw, reason)."""

    rows: list[dict[str, Any]]
    refused: list[tuple[bytes, str]]
    duplicates: int
    ignored: int
    folded: int


def reference(lines: Sequence[Line], spec: TimelineSpec) -> Outcome:
    """Build the steps of a log, and close every session at its end."""
    outcome = Outcome([], [], 0, 0, 0)
    accepted = sorted(accept(lines, spec, outcome), key=lambda entry: entry.time)  # stable: by arrival
    sessions = cut(accepted, spec, outcome)
    join(accepted, spec, outcome)
    for session in sessions:
        finish(session, spec)
    steps = [entry for session in sessions for entry in session if entry.role == "step"]
    outcome.folded = sum(entry.folded for entry in steps)
    outcome.rows = [row(entry, spec) for entry in steps if not entry.folded]
    return outcome


def accept(lines: Sequence[Line], spec: TimelineSpec, outcome: Outcome) -> list[Entry]:
    """Leave out what is faulty, ignored, late or repeated, in the order of arrival."""
    largest: int | None = None
    seen: list[tuple[str, int]] = []
    accepted = []
    for line in lines:
        time = line.time
        if time is None:
            outcome.refused.append((line.raw, "no_time"))
            continue
        if time < datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1e6:
            outcome.refused.append((line.raw, "clock_skew"))
            continue
        watermark = -math.inf if largest is None else largest - to_micros(spec.lateness)
        largest = time if largest is None else max(largest, time)
        role = role_of(line, spec)
        problem = problem_of(line, role, spec)
        if problem:
            outcome.refused.append((line.raw, problem))
        elif role == "ignored":
            outcome.ignored += 1
        elif time < watermark:
            outcome.refused.append((line.raw, "late"))
        elif line.event_id and any(line.event_id == name and at >= watermark for name, at in seen):
            outcome.duplicates += 1
            seen.append((line.event_id, time))
        else:
            accepted.append(Entry(line, time, role))
            if line.event_id:
                seen.append((line.event_id, time))
    return accepted


def role_of(line: Line, spec: TimelineSpec) -> str:
    """Say what kind of event a line is."""
    if spec.kind is None or line.kind in spec.steps:
        return "step"
    if line.kind in spec.ignores:
        return "ignored"
    if any(line.kind in end.values for end in spec.ends):
        return "end"
    return "reward" if any(line.kind in reward.values for reward in spec.rewards) else ""


def problem_of(line: Line, role: str, spec: TimelineSpec) -> str:
    """Say what is wrong with a line by itself."""
    if not role:
        return "unknown_kind"
    if role in ("step", "end") and session_of(line, spec) is None:
        return "no_session"
    if role == "reward":
        reward = spec.rewards[which_reward(line, spec)]
        if getattr(line, reward.key) is None:
            return "no_reward_key"
        if isinstance(reward.value, str):
            value = getattr(line, reward.value)
            if value is None or not math.isfinite(value):
                return "no_reward"
    if role == "step":
        for name in ("observation", "action"):
            if getattr(line, name) is None:
                return f"wrong_type({name})"
        if len(line.observation or ()) != 2:
            return "wrong_type(observation)"
    return ""


def session_of(line: Line, spec: TimelineSpec) -> str | None:
    """Return the session's part of the key as text."""
    values = [getattr(line, name) for name in spec.session]
    if None in values:
        return None
    if len(values) == 1:
        return str(values[0])
    return "/".join(str(value).replace("%", "%25").replace("/", "%2F") for value in values)


def which_reward(line: Line, spec: TimelineSpec) -> int:
    """Return the place of the entry of `rewards` that names a line."""
    return next(place for place, reward in enumerate(spec.rewards) if line.kind in reward.values)


def cut(accepted: list[Entry], spec: TimelineSpec, outcome: Outcome) -> list[list[Entry]]:
    """Cut the steps and ends of each key into sessions."""
    sessions: list[list[Entry]] = []
    latest: dict[tuple[str, str | None], list[Entry]] = {}
    for entry in accepted:
        if entry.role == "reward":
            continue
        key = (entry.line.source or "default", session_of(entry.line, spec))
        session = latest.get(key)
        if session is not None:
            last = session[-1]
            ended = last.role == "end" or last.line.terminated or last.line.truncated
            if ended or entry.time - last.time > to_micros(spec.timeout):
                session = None
        if entry.role == "end" and session is None:
            outcome.refused.append((entry.line.raw, "end_without_step"))
            continue
        if session is None:
            session = []
            same = [s for s in sessions if key_of(s, spec) == key and s[0].time == entry.time]
            entry.ordinal = len(same)
            sessions.append(session)
            latest[key] = session
        entry.number = len(session)
        session.append(entry)
        entry.session = session
    return sessions


def key_of(session: list[Entry], spec: TimelineSpec) -> tuple[str, str | None]:
    """Return the key of a session."""
    return session[0].line.source or "default", session_of(session[0].line, spec)


def join(accepted: list[Entry], spec: TimelineSpec, outcome: Outcome) -> None:
    """Give each reward to its step, in order."""
    for place, entry in enumerate(accepted):
        if entry.role != "reward":
            continue
        which = which_reward(entry.line, spec)
        reward = spec.rewards[which]
        step = step_for(entry, accepted[:place], accepted[place:], reward)
        if step is None:
            outcome.refused.append((entry.line.raw, "reward_without_step"))
            continue
        value = reward.value if isinstance(reward.value, float) else getattr(entry.line, reward.value)
        step.brought.setdefault(which, []).append(value)


def step_for(entry: Entry, earlier: list[Entry], later: list[Entry], reward: RewardEvents) -> Entry | None:
    """Return the last step of the key before a reward, if near enough, else the first one after it."""
    key = getattr(entry.line, reward.key)

    def fits(step: Entry) -> bool:
        return step.role == "step" and getattr(step.line, reward.key) == key

    before = [step for step in earlier if fits(step)]
    if before and entry.time - before[-1].time <= to_micros(reward.window):
        return before[-1]
    after = [step for step in later if fits(step)]
    if after and after[0].time - entry.time <= to_micros(reward.before):
        return after[0]
    return None


def finish(session: list[Entry], spec: TimelineSpec) -> None:
    """Note the gaps of a session, and settle how it ends."""
    for entry, following in pairwise(session):
        silence = following.time - entry.time
        if spec.gap is not None and silence > to_micros(spec.gap):
            entry.gap = silence
    steps = [entry for entry in session if entry.role == "step"]
    last = steps[-1]
    terminated, truncated = bool(last.line.terminated), bool(last.line.truncated)
    if session[-1].role == "end":
        terminated = next(end.terminated for end in spec.ends if session[-1].line.kind in end.values)
        truncated = not terminated
    elif not terminated:
        truncated = True
    if terminated or last.line.next_observation is not None:
        last.terminated, last.truncated = terminated, truncated
    elif spec.last_step == "fold" and len(steps) > 1:
        last.folded = True
        steps[-2].truncated = True
        steps[-2].next_observation = last.line.observation


def row(entry: Entry, spec: TimelineSpec) -> dict[str, Any]:
    """Return the step as the archive has it."""
    line = entry.line
    following = line.next_observation or entry.next_observation
    probability = line.action_probability
    first = entry.session[0]
    suffix = f"#{first.ordinal}" if first.ordinal else ""
    return {
        "event_id": line.event_id,
        "source": line.source or "default",
        "agent_id": "default",
        "episode_id": f"{session_of(line, spec)}@{stamp(first.time)}{suffix}",
        "step": entry.number,
        "observation": list(line.observation or ()),
        "action": line.action,
        "action_log_prob": None if probability is None else math.log(probability),
        "reward": reward_of(entry, spec),
        "next_observation": None if following is None else list(following),
        "terminated": entry.terminated,
        "truncated": entry.truncated,
        "event_time": moment(entry.time),
        "info": info_of(entry),
        "priority": 1.0,
    }


def reward_of(entry: Entry, spec: TimelineSpec) -> float | None:
    """Return the step's own reward and all that came."""
    own = entry.line.reward
    if own is None and not entry.brought:
        return spec.default_reward if spec.rewards else None
    total = 0.0 if own is None else own
    for which, values in sorted(entry.brought.items()):
        match spec.rewards[which].combine:
            case "sum":
                total += sum(values)
            case "max":
                total += max(values)
            case "first":
                total += values[0]
            case "last":
                total += values[-1]
    return total


def info_of(entry: Entry) -> Any:
    """Return the free fields as JSON values."""
    info = None if entry.line.info is None else json.loads(entry.line.info)
    if not entry.gap:
        return info
    return {**(info or {}), "gap_seconds": entry.gap / 1e6}


def to_micros(value: timedelta) -> int:
    """Return a duration in microseconds."""
    return round(value.total_seconds() * 1e6)


def moment(time: int) -> datetime:
    """Return a time in microseconds as a date and time."""
    return datetime.fromtimestamp(START // 10**6, UTC) + timedelta(microseconds=time - START)


def stamp(time: int) -> str:
    """Write a time as an episode's name has it."""
    return moment(time).isoformat(timespec="microseconds").replace("+00:00", "Z")
