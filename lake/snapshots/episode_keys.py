"""The keys of chosen episodes, kept beside a snapshot: what they were chosen by may change."""

from __future__ import annotations

import hashlib
import io
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.stores import Store
from schemas.episodes import EPISODE_KEY
from schemas.errors import StorageError

KEYS_SCHEMA = pa.schema([pa.field(name, pa.string()) for name in EPISODE_KEY])


def digest_of(keys: pa.Table) -> str:
    """Return the hash of keys in their order, which no version of a library changes."""
    digest = hashlib.sha256(keys.num_rows.to_bytes(8, "little"))
    for name in KEYS_SCHEMA.names:
        column = keys[name].combine_chunks().cast(pa.large_binary())
        digest.update(np.asarray(pc.binary_length(column)).astype("<i8").tobytes())
        _, offsets, data = column.buffers()
        if data is not None:
            bounds = np.frombuffer(offsets, "<i8")[[column.offset, column.offset + len(column)]]
            digest.update(memoryview(data)[bounds[0] : bounds[1]])
    return digest.hexdigest()


def write_keys(store: Store, snapshot_id: str, keys: pa.Table) -> str:
    """Write keys beside a snapshot, durably; return the file's name, which no other file ever has."""
    name = f"{snapshot_id}/episodes-{uuid.uuid4().hex}.parquet"
    written = io.BytesIO()
    pq.write_table(keys, written, compression="zstd")
    store.write(name, written.getvalue())
    return name


def read_keys(store: Store, name: str) -> pa.Table:
    """Read keys; raise StorageError where the file is not there or does not read."""
    try:
        return pq.read_table(io.BytesIO(store.read(name)), schema=KEYS_SCHEMA)
    except (FileNotFoundError, pa.ArrowException) as exc:
        raise StorageError(
            f"The file {store.uri(name)} does not read: {str(exc).partition(chr(10))[0]}.",
            hint="Restore it from a copy.",
        ) from exc
