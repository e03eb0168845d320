"""The oldest version of a table whose files are all there: a vacuum says so before it removes any."""

from __future__ import annotations

from lake.files import read_json, write_json
from lake.stores import Store

_FILE = "_vacuum.json"  # other readers of Delta tables pass by what starts so


def oldest_version(table: Store) -> int:
    """Return the first version that can be read whole, in the table that the store holds."""
    try:
        return int(read_json(table, _FILE)["oldest_version"])
    except FileNotFoundError:
        return 0


def set_oldest_version(table: Store, version: int) -> None:
    """Say durably that versions before this one cannot be read any more."""
    if version > oldest_version(table):
        write_json(table, _FILE, {"oldest_version": version})
