"""From a stream's URL to the stream."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import shared_stream
from schemas.errors import UsageError
from schemas.protocols import Stream

_KNOWN = "embedded: (in the lake's folder), embedded:FOLDER, memory:NAME (in this process only)"


def open_stream(url: str, *, embedded_folder: Path | None) -> Stream:
    """Open the stream of a URL; raise UsageError where there is no such scheme.

    `embedded:` alone is the stream in `embedded_folder`, which a lake on S3 does not have. `memory:NAME`
    is the same stream every time in one process. A message never shows more of the URL than its scheme,
    for the rest may hold a password.
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
    named = f"of scheme {scheme!r} " if colon and re.fullmatch(r"[a-z][a-z0-9+.-]{0,20}", scheme) else ""
    raise UsageError(f"The stream URL {named}is not known.", hint=f"Known are {_KNOWN}.")
