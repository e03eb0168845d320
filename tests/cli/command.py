"""The command as the tests call it, and lines that it publishes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from replaylake.cli.app import app


@dataclass(frozen=True)
class Outcome:
    """Hold what one call did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed, which is one JSON document."""
        return json.loads(self.out)


def call(*words: object, stdin: bytes | str = b"", **environment: str) -> Outcome:
    """Run the command in this process."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def ok(*words: object, stdin: bytes | str = b"", **environment: str) -> Outcome:
    """Run the command, which is to end well."""
    outcome = call(*words, stdin=stdin, **environment)
    assert outcome.code == 0, outcome.err
    return outcome


def step(episode: int, number: int, **changes: Any) -> dict[str, Any]:
    """Make one good step of CartPole's shape."""
    rng = random.Random(f"{episode}/{number}")
    return {
        "episode_id": f"e{episode}",
        "step": number,
        "observation": [rng.uniform(-0.1, 0.1) for _ in range(4)],
        "action": rng.randrange(2),
        "action_probability": 0.5,
        "reward": 1.0,
        "terminated": number == 9,
        "truncated": False,
        "event_time": f"2026-03-0{1 + episode % 3}T10:00:00Z",
        **changes,
    }


def steps(episodes: int) -> Iterator[dict[str, Any]]:
    """Make episodes of ten steps each."""
    return (step(episode, number) for episode in range(episodes) for number in range(10))


def ndjson(*records: dict[str, Any]) -> bytes:
    """Write records as lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)
