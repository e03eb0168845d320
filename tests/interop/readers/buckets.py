"""S3 by way of fsspec, for the readers that know no object store themselves."""

from __future__ import annotations

from typing import Any, cast

from obstore.fsspec import FsspecStore


def bucket(options: dict[str, str]) -> FsspecStore:
    """Return the file system of `s3://` addresses that these options reach."""
    config = {name: value for name, value in options.items() if name != "aws_allow_http"}
    return FsspecStore("s3", config=cast("Any", config), client_options={"allow_http": True})
