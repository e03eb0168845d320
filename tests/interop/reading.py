"""Let another library read what was written, in a process that has nothing of replaylake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READERS = ("polars", "duckdb", "fastparquet")  # those that the environment of the tests has
_ROOT = Path(__file__).parents[2]


def read_back(
    reader: str,
    document: Path,
    options: Mapping[str, str],
    python: Path | str = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a reader, and return what it has compared; raise AssertionError where it found other rows."""
    done = subprocess.run(
        [str(python), "-m", f"tests.interop.readers.with_{reader}", str(document)],
        cwd=_ROOT,
        env={**os.environ, **(variables or {})},
        input=json.dumps(dict(options)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    compared: dict[str, Any] = json.loads(done.stdout)
    return compared
