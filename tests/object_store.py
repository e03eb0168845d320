"""A real S3 server for the tests: one for all, in which each gets a place of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.s3.program import ServerError, build
from deploy.s3.server import BUCKET, Server, free_port

REQUIRED = "REPLAYLAKE_REQUIRE_S3"


@dataclass(frozen=True)
class S3Place:
    """Name an empty place on a server: where a lake may be, and how it is reached."""

    url: str  # s3://bucket/prefix
    options: dict[str, str] = field(repr=False)

    @property
    def bucket(self) -> str:
        """The bucket."""
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What is before the names in the bucket, without a slash at its end."""
        return self.url.removeprefix("s3://").partition("/")[2]


def require_s3() -> None:
    """Skip the test, loudly, where this machine cannot build one; with REPLAYLAKE_REQUIRE_S3 it fails."""
    try:
        build()
    except ServerError as exc:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"NO REAL S3 HERE: {exc} ({REQUIRED}=1 makes this a failure)")


def running_server(folder: Path) -> Iterator[Server]:
    """Run a server while the caller needs it."""
    require_s3()
    server = Server(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


def new_place(server: Server) -> S3Place:
    """Return a place that nobody has used."""
    return S3Place(f"s3://{BUCKET}/{uuid.uuid4().hex}", server.options)
