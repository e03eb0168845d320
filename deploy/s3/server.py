"""Build, start and stop an S3 server on loopback: `python -m deploy.s3.server --help`.

Go is needed, once, to build it. What a server holds stays in a folder of its own, so that one that was
killed comes back with it, and with the same keys.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.s3.program import CACHE, ServerError, build

BUCKET = "replaylake"
_REGION = "us-east-1"
_HEALTH = "/health"
_BETWEEN_LOOKS = 0.02  # seconds
_children: dict[int, subprocess.Popen[bytes]] = {}  # the servers that this process has started


@dataclass(frozen=True)
class Server:
    """Run one server; its buckets are folders below `folder/data`."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """What a client must know, by the names that obstore, deltalake and Polars have for it."""
        access, secret = self._keys()
        return {
            "aws_endpoint": self.url,
            "aws_access_key_id": access,
            "aws_secret_access_key": secret,
            "aws_region": _REGION,
            "aws_allow_http": "true",
        }

    @property
    def exports(self) -> Path:
        """The file for a shell to read (`source`) whose commands are to use the server; it has the keys."""
        return self.folder / "exports.sh"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def process(self) -> psutil.Process | None:
        """The process, where it runs."""
        try:
            process = psutil.Process(int((self.folder / "pid").read_text()))
            if process.pid in _children:  # whose command line is empty for a moment, when it has just begun
                return process if _children[process.pid].poll() is None else None
            # A number may have gone to another program.
            return process if str(self._data) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def start(self, seconds: float = 30) -> None:
        """Start the process where it does not run, and return once it answers; raise ServerError."""
        if self.process is None:
            self._launch()
        deadline = time.monotonic() + seconds
        while not self._answers():
            self._watch(deadline)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the process, and return once it is gone; what it holds stays in the folder."""
        process = self.process
        if process is None:
            return
        process.send_signal(number)
        if process.pid in _children:
            _children[process.pid].wait()
        else:
            process.wait()

    @property
    def _data(self) -> Path:
        return self.folder.absolute() / "data"

    def _launch(self) -> None:
        program = build()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as exc:
                raise ServerError(f"Port {self.port} is not to be had: {exc.strerror}.") from exc
        (self._data / BUCKET).mkdir(parents=True, exist_ok=True)
        access, secret = self._keys()
        self._write_exports()
        command = [str(program), "--port", f"127.0.0.1:{self.port}", "--health", _HEALTH, "--quiet"]
        command += ["--region", _REGION, "posix", *self._metadata(), str(self._data)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                env=os.environ | {"ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        _children[process.pid] = process
        (self.folder / "pid").write_text(str(process.pid))

    def _metadata(self) -> list[str]:
        """Return how the server is told to keep what belongs to a file beside it, where the disk cannot."""
        aside = self.folder.absolute() / "metadata"
        try:
            os.setxattr(self._data, "user.replaylake", b"")
        except OSError:
            aside.mkdir(exist_ok=True)
        return ["--sidecar", str(aside)] if aside.is_dir() else []

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", _HEALTH)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _watch(self, deadline: float) -> None:
        """Wait a little for its death; raise ServerError where it has died, or the time is over."""
        process = self.process
        if process is None:
            raise ServerError(f"The S3 server died: {_tail(self.log)}")
        if time.monotonic() > deadline:
            raise ServerError(f"The S3 server does not answer: {_tail(self.log)}")
        try:
            process.wait(_BETWEEN_LOOKS)
        except psutil.TimeoutExpired:
            return

    def _keys(self) -> tuple[str, str]:
        """Return the access key and the secret one, made up at the first call."""
        kept = self.folder / "keys.json"
        if not kept.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_private(kept, json.dumps([secrets.token_hex(10), secrets.token_hex(20)]))
        access, secret = json.loads(kept.read_text())
        return access, secret

    def _write_exports(self) -> None:
        set_ = {name.upper(): value for name, value in self.options.items()}
        set_ |= {"AWS_ENDPOINT_URL": self.url, "REPLAYLAKE_LAKE": f"s3://{BUCKET}/lake"}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in set_.items()]
        _write_private(self.exports, "".join(lines))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, at no moment half of it."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    aside.rename(path)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip() if log.is_file() else "it said nothing"


def main() -> int:
    """Build, start or stop the server of `make s3`."""
    parser = argparse.ArgumentParser(prog="deploy.s3.server", description=__doc__)
    parser.add_argument("action", choices=["build", "start", "stop"])
    parser.add_argument("--port", type=int, default=7070)
    given = parser.parse_args()
    server = Server(CACHE / f"server-{given.port}", given.port)
    try:
        if given.action == "build":
            build()
        elif given.action == "stop":
            server.stop()
        else:
            server.start()
            shown = os.path.relpath(server.exports)
            sys.stdout.write(f"An S3 server runs at {server.url} with the bucket {BUCKET}. For its keys:\n")
            sys.stdout.write(f"source {shlex.quote(shown)}\n")
    except ServerError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
