"""Where a lake is kept: a folder on a disk, or a prefix of an S3-compatible store."""

from lake.stores.opening import open_store
from lake.stores.store import Store, StoredFile

__all__ = ["Store", "StoredFile", "open_store"]
