"""Walk through an example as a reader of its page would: by its run.sh, with the command on the path."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
_NUMBER = re.compile(r"-?\d+\.\d+")
_CLOSE = 0.2  # of a fraction: other machines round otherwise, and learn a little otherwise


def walk(example: str, folder: Path) -> list[str]:
    """Run an example in a folder, and return its commands with what they said, a line each."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPLAYLAKE_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", EXAMPLES / example / "run.sh", folder],  # noqa: S607
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return _lines(done.stdout)


def shown(example: str) -> list[str]:
    """Return the lines of the commands on the example's page."""
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    return _lines("\n".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL)))


def first_difference(page: list[str], said: list[str]) -> str | None:
    """Compare what a page shows with what was said; `...` stands for the rest of a line, or for lines."""
    place = 0
    for number, line in enumerate(page):
        if line == "...":
            after = page[number + 1] if number + 1 < len(page) else None
            while place < len(said) and (after is None or not _is_like(after, said[place])):
                place += 1
            continue
        if place == len(said) or not _is_like(line, said[place]):
            return f"{line!r} is on the page, and {said[place : place + 1]} was said"
        place += 1
    return None if place == len(said) else f"the page does not show {said[place]!r}"


def _is_like(line: str, said: str) -> bool:
    if line.startswith("$") or line.endswith("..."):
        return said == line or (line.endswith("...") and said.startswith(line[:-3].rstrip()))
    close = all(
        math.isclose(float(one), float(other), rel_tol=_CLOSE, abs_tol=0.05)
        for one, other in zip(_NUMBER.findall(line), _NUMBER.findall(said), strict=False)
    )
    return close and _NUMBER.sub("#", line).split() == _NUMBER.sub("#", said).split()


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]
