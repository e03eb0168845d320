"""What the archives of the interop tests hold: every kind of column, and every kind of odd value.

Rows are in the form in which they are stored: others are to find just them.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_TINY = 2.0**-149  # the smallest number that 32 bits hold
_NUMBERS = (0.5, -0.0, math.nan, math.inf, -math.inf, _TINY, 1.5 * 2.0**127)
_NAMES = ("", " ", "a/b", "a%2Fb", "50%", "x=y", "007", "null", "NaN", "ü ß", "日本語", "🤖", "..", "a:b?#&")
_TEXTS = (*_NAMES, "a'b\"c", "back\\slash", "__HIVE_DEFAULT_PARTITION__", "two\nlines", "{c}", "[s]*")

PLAIN = ArchiveSpec(
    name="plain",
    observation=Box(shape=(3,)),
    action=Discrete(n=4),
    extras={"seen_at": Scalar(dtype="timestamp"), "score": Scalar(dtype="float64"), "said": Text()},
    partition_by=("agent_id", "policy_version"),
)
NESTED = ArchiveSpec(
    name="nested",
    observation=Dict(
        spaces={
            "image": Box(shape=(2, 2, 3), dtype="uint8", low=0, high=255),
            "place": Box(shape=(2,), dtype="float64"),
            "door": Discrete(n=3),
            "heard": Text(),
            "inner": Dict(spaces={"flag": Box(shape=(2,), dtype="bool")}),
        }
    ),
    action=Tuple(spaces=(Discrete(n=2), Box(shape=(2,)))),
    extras={"lights": MultiBinary(shape=(3,)), "slate": MultiDiscrete(nvec=(5, 5))},
)
STREAMED = ArchiveSpec(name="streamed", observation=Box(shape=(2,)), action=Discrete(n=2))
NEW_COLUMNS: dict[str, Space] = {
    "mood": Text(),
    "depth": Box(shape=(2,), dtype="int16"),
    "map": Dict(spaces={"room": Discrete(n=9), "light": Box(shape=(1,))}),
}


def _step(number: int, name: str) -> dict[str, Any]:
    """Return what the rows of both archives have."""
    return {
        "event_id": f"{name}-{number:03}",
        "source": _TEXTS[number % 5] or "default",
        "agent_id": "default",
        "episode_id": None if number % 11 == 10 else f"episode {_TEXTS[number % 7]}",
        "step": None if number % 11 == 10 else (2**63 - 1 - number if number % 13 == 12 else number),
        "action_log_prob": (None, -0.5, -math.inf)[number % 3],
        "action_mask": (None, [], [True, False, True, True])[number % 3],
        "reward": None if number % 9 == 8 else _NUMBERS[number % 7],
        "terminated": number % 4 == 3,
        "truncated": number % 5 == 4,
        "discount": (None, 0.5, 0.0)[number % 3],
        "policy_version": None,
        "event_time": NOON + timedelta(hours=4 * number, microseconds=number),
        "info": (None, "{}", '{"ü": [1, null]}')[number % 3],
        "priority": (1.0, 0.25)[number % 2],
    }


def plain_rows(first: int, count: int) -> list[dict[str, Any]]:
    """Return rows of `PLAIN`."""
    return [
        _step(number, "plain")
        | {
            "agent_id": _TEXTS[number % len(_TEXTS)],
            "policy_version": (None, "v 1/2", "")[number % 3],
            "observation": [_NUMBERS[(number + place) % 7] for place in range(3)],
            "action": number % 4,
            "next_observation": None if number % 2 else [1.0, 2.0, _NUMBERS[number % 7]],
            "seen_at": None if number % 3 else _FIRST + timedelta(days=300_000 * (number % 9)),
            "score": None if number % 4 == 1 else _NUMBERS[number % 5] * 1e300,
            "said": _TEXTS[(number * 3) % len(_TEXTS)],
        }
        for number in range(first, first + count)
    ]


def nested_rows(first: int, count: int) -> list[dict[str, Any]]:
    """Return rows of `NESTED`."""
    return [
        _step(number, "nested")
        | {
            "observation": _seen(number),
            "action": {"item_0": number % 2, "item_1": [_NUMBERS[number % 7], 1.0]},
            "next_observation": None if number % 3 else _seen(number + 1),
            "lights": None if number % 3 == 2 else [number % 2, 1, 0],
            "slate": [number % 5, 4],
        }
        for number in range(first, first + count)
    ]


def _seen(number: int) -> dict[str, Any]:
    return {
        "image": bytes((number * 17 + place * 23) % 256 for place in range(12)),
        "place": [_NUMBERS[number % 7], 1e-300],
        "door": number % 3,
        "heard": _TEXTS[number % len(_TEXTS)],
        "inner": {"flag": [number % 2 == 0, True]},
    }


def messages() -> list[tuple[dict[str, Any] | bytes, dict[str, Any], tuple[str, str] | None]]:
    """Return messages for `STREAMED`, what is landed of each, and the reason and detail of a refusal."""
    good = {
        "source": "ü/1",
        "episode_id": "e",
        "observation": [0.5, 1.0],
        "action": 1,
        "reward": 1.0,
        "terminated": False,
        "truncated": False,
    }
    landed = {**good, "agent_id": "default", "info": None}
    nothing = dict.fromkeys(landed)
    return [
        ({**good, "step": 0}, {**landed, "step": 0}, None),
        (
            b"\xff\x00 nothing",
            {**nothing, "step": None},
            (
                "undecodable",
                r"The message starts with b'\xff\x00 nothing': neither a JSON object nor an Arrow stream.",
            ),
        ),
        (
            {**good, "step": 1, "action": 9},
            {**landed, "step": 1, "action": 9},
            ("in_space(action)", "action is 9, outside 0 to 1"),
        ),
        (
            {**good, "step": 2, "observation": ["NaN", 1.0]},
            {**landed, "step": 2, "observation": [math.nan, 1.0]},
            ("finite(observation)", "observation[0] is nan, not a finite number"),
        ),
        ({**good, "step": 3, "info": {"é": 1}}, {**landed, "step": 3, "info": r'{"\u00e9":1}'}, None),
        (
            {**good, "step": 4, "reward": "-Infinity"},
            {**landed, "step": 4, "reward": -math.inf},
            ("finite(reward)", "reward is -inf, not a finite number"),
        ),
    ]


def new_values(number: int) -> dict[str, Any]:
    """Return values of the columns that the archives get later."""
    return {
        "mood": (None, "🙂", "")[number % 3],
        "depth": None if number % 4 == 1 else [-32768, number],
        "map": None if number % 4 == 2 else {"room": number % 9, "light": [_NUMBERS[number % 7]]},
    }
