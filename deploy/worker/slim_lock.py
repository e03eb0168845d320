"""Print a lock without what only learners need: `python slim_lock.py requirements.lock > worker.lock`.

Torch, Ray and CUDA are five of the seven gigabytes, and a worker imports none of them. What is left keeps its
versions and hashes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_LEARNERS = re.compile(r"(torch|triton|ray|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")
_ENTRY = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)  # hashes stand on lines that are indented


def slim(lock: str) -> str:
    """Leave out the entries of what learners need, with their hashes."""
    return "".join(entry for entry in _ENTRY.split(lock) if not _LEARNERS.match(entry))


if __name__ == "__main__":
    sys.stdout.write(slim(Path(sys.argv[1]).read_text(encoding="utf-8")))
