"""Where the demo leaves its things, and the commands to go on with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from replaylake.flows.demo.playing import ENV

_MIXTURE = "select policy_version, count(*) as steps from cartpole.steps group by all"
_REFUSED = "select reasons, detail from cartpole.quarantine using sample 10"


@dataclass(frozen=True)
class Places:
    """Where things lie when the demo has ended, as the caller named its folder."""

    folder: str
    lake: str
    policy: str
    report: str

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the places in a folder, which is where they are built as well."""
        return cls(*(str(folder / part) for part in ("", "lake", "policy", "report.html")))


def next_commands(places: Places, snapshot: str, seed: int, program: str) -> list[tuple[str, str]]:
    """Return what to try next, each with its command, ready for a shell."""
    lake = ["--lake", places.lake]
    learning = ["--snapshot", snapshot, "--algorithm", "dqn", "--seed", str(seed)]
    playing = ["--env", ENV, "--episodes", "100", "--seed", str(seed)]
    return [
        (what, shlex.join([program, *words]))
        for what, words in (
            ("Ask the lake something else", ["query", _MIXTURE, *lake]),
            ("Look at what was refused", ["query", _REFUSED, *lake]),
            ("Learn from the same snapshot without being conservative", ["train", *learning, *lake]),
            ("Play the learned policy for longer", ["evaluate", places.policy, *playing]),
        )
    ]
