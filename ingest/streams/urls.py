"""From a stream's URL to the stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import shared_stream
from schemas.errors import UsageError
from schemas.protocols import Stream

_KNOWN = (
    "embedded: (in the lake's folder), embedded:FOLDER, kafka://HOST:PORT,..., "
    "memory:NAME (in this process only)"
)
_HOST = r"(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d{1,5})?"
_SERVERS = re.compile(rf"{_HOST}(,{_HOST})*")


def open_stream(
    url: str, *, embedded_folder: Path | None, options: Mapping[str, object] | None = None
) -> Stream:
    """Open the stream of a URL; raise UsageError where there is no such scheme.

    `embedded:` alone is the stream in `embedded_folder`, which a lake on S3 does not have. `memory:NAME`
    is the same stream every time in one process. `kafka://` takes options, in its query or beside it (see
    kafka.options.KafkaOptions); it connects when it is first used. A message never shows more of the URL
    than its scheme, for the rest may hold a password.
    """
    scheme, colon, rest = url.partition(":")
    if scheme == "embedded" and colon:
        folder = Path(rest) if rest else embedded_folder
        if folder is None:
            raise UsageError(
                "This lake has no folder for the embedded stream.",
                hint="Give a stream URL: embedded:FOLDER, or a server's.",
            )
        return EmbeddedStream(folder)
    if scheme == "memory" and colon:
        return shared_stream(rest)
    if scheme == "kafka" and colon:
        return _open_kafka(rest, options or {})
    named = f"of scheme {scheme!r} " if colon and re.fullmatch(r"[a-z][a-z0-9+.-]{0,20}", scheme) else ""
    raise UsageError(f"The stream URL {named}is not known.", hint=f"Known are {_KNOWN}.")


def _open_kafka(rest: str, options: Mapping[str, object]) -> Stream:
    from ingest.streams.kafka import KafkaStream
    from ingest.streams.kafka.options import parse_options

    location, _, query = rest.partition("?")
    servers = location.removeprefix("//").rstrip("/")
    if "@" in servers:
        raise UsageError(
            "The stream's URL holds a user, which would be shown with it.",
            hint="Put sasl.username and sasl.password under `stream_options` in the settings.",
        )
    if not _SERVERS.fullmatch(servers):
        raise UsageError(
            "The Kafka URL names no brokers that can be read.", hint="Write kafka://HOST:PORT,HOST:PORT."
        )
    return KafkaStream(servers, parse_options(query, options))
