"""A store that does what it was asked, and whose answer gets lost: nothing is doubled or lost."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lake import Lake, delete_snapshot, pin, unpin
from lake.maintenance.erase import list_erasures
from lake.maintenance.erasure_plan import Criterion
from lake.snapshots import list_snapshots
from lake.stores.local import LocalStore
from schemas.protocols import Move
from tests.lake.archives import SPEC, append, landed_rows, make, row
from tests.object_store import S3Place


class Proxy(ThreadingHTTPServer):
    """Pass requests on to a server, and swallow answers to puts of commits that were done."""

    daemon_threads = True

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.server_behind = server
        self.to_swallow = 0
        self.swallowed = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(self.server.server_behind)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # the host too: it is part of what was signed
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_commit = self.command == "PUT" and "/steps/_delta_log/0" in self.path
        if is_commit and answer.status == 200 and self.server.to_swallow:
            self.server.to_swallow -= 1
            self.server.swallowed += 1
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def proxied(place: S3Place) -> Iterator[tuple[Lake, Proxy]]:
    proxy = Proxy(place.options["aws_endpoint"].removeprefix("http://"))
    running = threading.Thread(target=proxy.serve_forever)
    running.start()
    try:
        yield Lake(place.url, place.options | {"aws_endpoint": proxy.url}), proxy
    finally:
        proxy.shutdown()
        running.join()
        proxy.server_close()


def test_a_commit_whose_answer_got_lost_is_there_once(s3_place: S3Place) -> None:
    with proxied(s3_place) as (lake, proxy):
        log = lake.create("demo", spec=SPEC).table("steps")
        versions = []
        for number, swallow in enumerate((1, 0, 1)):
            proxy.to_swallow = swallow
            rows = landed_rows(SPEC, number, source=f"s{number}")
            versions.append(log.append(rows, {"app": Move(number - 1, number)}, {}))
        assert (versions, proxy.swallowed) == ([1, 2, 3], 2)
        assert log.position("app") == 2
        assert lake.sql("select source, count(*) from demo.steps group by 1 order by 1").rows() == [
            ("s1", 1),
            ("s2", 2),
        ]
        stored = [file.name for file in log.store.files() if file.name.endswith(".parquet")]
        assert sorted(stored) == log.file_names()


def test_states_and_erasures_are_told_from_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry of a put that was done finds the file there, and it is our own."""
    _, archive = make(tmp_path)
    append(archive, row(0), row(0, agent_id="other"))
    snapshot = pin(archive.snapshot(), "model/one")
    plan = archive.plan_erasure(Criterion(agent="other"), "asked for")
    write_once = LocalStore.write_once

    def unheard(self: LocalStore, name: str, data: bytes) -> bool:
        write_once(self, name, data)
        return False

    monkeypatch.setattr(LocalStore, "write_once", unheard)
    assert [one.by for one in pin(snapshot, "model/two").pins] == ["model/one", "model/two"]
    assert [one.by for one in unpin(snapshot, "model/two").pins] == ["model/one"]
    assert unpin(snapshot, "model/one").pins == ()
    archive.erase(plan)
    assert [one.get("finished_at") is not None for one in list_erasures(archive)] == [True]
    delete_snapshot(snapshot)
    assert list_snapshots([archive]) == []
