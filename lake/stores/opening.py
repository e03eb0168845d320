"""Open the store that a place names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lake.stores.local import LocalStore
from lake.stores.s3 import S3Store
from lake.stores.store import Store
from schemas.errors import UsageError


def open_store(location: str | Path, options: Mapping[str, str] | None = None) -> Store:
    """Open a local folder or `s3://bucket/prefix`; raise UsageError for a place that is neither."""
    text = str(location)
    if text.startswith("s3://"):
        return S3Store(text, options)
    if "://" in text:
        raise UsageError(
            f"The lake {text!r} is neither a folder nor on S3.", hint="Give a folder or s3://bucket/prefix."
        )
    if options:
        raise UsageError(f"The folder {text!r} takes no options.", hint="Options are for s3://bucket/prefix.")
    return LocalStore(Path(location))
