"""The S3 server of `make s3`: it answers to its keys, is started once, and comes back with what it held."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from deploy.s3 import program
from deploy.s3.program import ServerError
from deploy.s3.server import BUCKET, Server, free_port
from tests.object_store import REQUIRED, S3Place, require_s3, running_server


def client(server: Server, changed: Mapping[str, str] | None = None) -> S3Store:
    """Return a client of the server's bucket, as the lake makes them."""
    options = server.options | dict(changed or {})
    del options["aws_allow_http"]
    retries = {"max_retries": 0}
    return S3Store(BUCKET, config=options, client_options={"allow_http": True}, retry_config=retries)  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    require_s3()
    server = Server(tmp_path / "server", free_port())
    server.start()
    yield server
    server.stop()


def test_it_comes_back_with_what_it_held_and_with_its_keys(server: Server) -> None:
    obstore.put(client(server), "a/b.txt", b"kept")
    keys = server.options
    server.stop(signal.SIGKILL)
    with pytest.raises(BaseError):
        obstore.get(client(server), "a/b.txt")
    server.start()
    assert server.options == keys
    assert bytes(obstore.get(client(server), "a/b.txt").bytes()) == b"kept"


def test_it_is_started_once_and_stopping_twice_is_fine(server: Server) -> None:
    first = server.process
    server.start()
    assert server.process == first
    server.stop()
    assert server.process is None
    server.stop()


def test_of_several_that_put_one_name_for_the_first_time_one_wins(server: Server) -> None:
    obstore.put(client(server), "once", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(client(server), "once", b"2", mode="create")
    assert bytes(obstore.get(client(server), "once").bytes()) == b"1"


def test_who_has_not_the_keys_is_refused(server: Server) -> None:
    with pytest.raises(BaseError, match="SignatureDoesNotMatch"):
        obstore.put(client(server, {"aws_secret_access_key": "guessed"}), "x", b"")


def test_the_keys_are_in_files_that_only_their_owner_reads_and_nowhere_else(server: Server) -> None:
    secret = server.options["aws_secret_access_key"]
    holding = [path for path in server.folder.iterdir() if path.is_file() and secret in path.read_text()]
    assert {path.name for path in holding} == {"keys.json", "exports.sh"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in holding)
    process = server.process
    assert process is not None and not any(secret in word for word in process.cmdline())
    assert secret not in repr(server)


def test_a_shell_that_reads_the_exports_has_all_that_a_client_needs(server: Server) -> None:
    code = (
        "import obstore; from obstore.store import S3Store;"
        f"store = S3Store('{BUCKET}'); obstore.put(store, 'by/shell', b'x');"
        "print(obstore.head(store, 'by/shell')['size'])"
    )
    words = ["bash", "-c", 'source "$0" && exec "$1" -c "$2"', str(server.exports), sys.executable, code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    require_s3()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"Port {port} is not to be had"):
            Server(tmp_path, port).start()


def test_a_server_that_dies_at_its_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_s3()
    monkeypatch.setenv("VGW_CERT", str(tmp_path / "no-such.pem"))
    monkeypatch.setenv("VGW_KEY", str(tmp_path / "no-such.pem"))
    with pytest.raises(ServerError, match=r"The S3 server died: .*no-such\.pem"):
        Server(tmp_path, free_port()).start()


def test_places_are_each_their_own(s3_place: S3Place, s3_server: Server) -> None:
    assert re.fullmatch(r"s3://[a-z]+/[0-9a-f]{32}", s3_place.url)
    assert list(obstore.list(client(s3_server), prefix=s3_place.prefix)) == []
    assert s3_place.options["aws_secret_access_key"] not in repr(s3_place)


def test_without_go_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "_PROGRAM", tmp_path / "versitygw")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.is_missing()
    with pytest.raises(ServerError, match="built by Go, and no program 'go'"):
        program.build()
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"NO REAL S3 HERE: .*no program 'go'"):
        require_s3()
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(ServerError, match="no program 'go'"):
        next(running_server(tmp_path))


def test_a_build_that_fails_shows_what_go_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setattr(program, "_PROGRAM", tmp_path / "bin" / "versitygw")
    monkeypatch.setattr(program, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ServerError, match="no such module"):
        program.build()
