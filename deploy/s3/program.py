"""The S3 server's program: Versity's gateway, built by Go where it is not there yet."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "s3"
_MODULE = "github.com/versity/versitygw/cmd/versitygw"
_VERSION = "v1.8.0"
_PROGRAM = CACHE / "bin" / f"versitygw-{_VERSION}"


class ServerError(Exception):
    """Report that the server could not be built or started."""


def is_missing() -> bool:
    """Say whether the program is not there, and Go neither, which would build it."""
    return not _PROGRAM.is_file() and shutil.which("go") is None


def build() -> Path:
    """Return the program, built once; of several processes one builds, and the others wait for it."""
    if _PROGRAM.is_file():
        return _PROGRAM
    if is_missing():
        raise ServerError(
            "The S3 server is built by Go, and no program 'go' is found: install Go 1.25 or newer."
        )
    _PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _PROGRAM.is_file():
            _install()
    return _PROGRAM


def _install() -> None:
    command = ["go", "install", "-trimpath", "-ldflags=-s -w", f"{_MODULE}@{_VERSION}"]
    into = {"GOBIN": str(_PROGRAM.parent), "CGO_ENABLED": "0"}
    done = subprocess.run(command, env=os.environ | into, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ServerError(f"Go could not build the S3 server: {done.stderr.strip()[-2000:]}")
    (_PROGRAM.parent / "versitygw").rename(_PROGRAM)
