"""Fetch Apache Spark from PyPI and Delta Lake's jars from Maven, both pinned, into `.cache/interop`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE.parents[2] / ".cache" / "interop"


class EnvironmentMissingError(Exception):
    """Report that Spark could not be fetched."""


@dataclass(frozen=True)
class SparkEnvironment:
    """Name the Python that has Spark, and what the reader is told beside."""

    python: Path
    variables: dict[str, str]


def prepare() -> SparkEnvironment:
    """Return the environment, made where it is not there yet."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        raise EnvironmentMissingError(f"Spark needs {' and '.join(missing)}, not found here.")
    return SparkEnvironment(_python(), {"SPARK_JARS": str(_jars()), "PYSPARK_PYTHON": str(_python())})


def _python() -> Path:
    folder, wanted = _CACHE / "venv", _HERE / "requirements.txt"
    python = folder / "bin" / "python"
    if not _is_made_of(folder, wanted):
        uv = str(Path(sys.executable).parent / "uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(wanted)])
        _mark(folder, wanted)
    return python


def _jars() -> Path:
    folder, wanted = _CACHE / "jars", _HERE / "pom.xml"
    if not _is_made_of(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        _run(["mvn", "--quiet", "--batch-mode", "--file", str(wanted), *copy])
        _mark(folder, wanted)
    return folder


def _is_made_of(folder: Path, wanted: Path) -> bool:
    marker = folder / ".made-of"
    return marker.is_file() and marker.read_bytes() == wanted.read_bytes()


def _mark(folder: Path, wanted: Path) -> None:
    (folder / ".made-of").write_bytes(wanted.read_bytes())


def _run(command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentMissingError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
