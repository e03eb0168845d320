"""The lake: archives of experience as Delta tables, snapshots of them, and SQL over them."""

from lake.archive import Archive
from lake.lake import Lake
from lake.landing import ArchiveLanding
from lake.reader import read_transitions
from lake.snapshots import Snapshot
from lake.sql import QueryResult

__all__ = ["Archive", "ArchiveLanding", "Lake", "QueryResult", "Snapshot", "read_transitions"]
