"""Message headers as one blob. Most messages of a stream have the same few, so both ways are remembered."""

from __future__ import annotations

import json
from functools import lru_cache

from schemas.protocols import Headers

_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def encode_headers(headers: Headers) -> bytes | None:
    """Return the headers as bytes, or None where there are none."""
    if not headers:
        return None
    return json.dumps([(name, value.decode("latin-1")) for name, value in headers]).encode()


@lru_cache(_REMEMBERED)
def decode_headers(blob: bytes | None) -> Headers:
    """Return the headers that were encoded."""
    if blob is None:
        return ()
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(blob))
