"""The ingest floor: streams, publishers, sources and the worker."""

from ingest.async_publisher import AsyncPublisher
from ingest.intake import Intake
from ingest.limits import Limits, Linger
from ingest.lookahead import PollPolicy
from ingest.publisher import Publisher
from ingest.report import IngestReport
from ingest.sources import (
    FilePublisher,
    Ledger,
    PublishReport,
    SourceOptions,
    TopicPublisher,
    find_files,
    follow_files,
    publish_lines,
)
from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import MemoryStream
from ingest.streams.urls import open_stream
from ingest.worker import FlushPolicy, Worker

__all__ = [
    "AsyncPublisher",
    "EmbeddedStream",
    "FilePublisher",
    "FlushPolicy",
    "IngestReport",
    "Intake",
    "Ledger",
    "Limits",
    "Linger",
    "MemoryStream",
    "PollPolicy",
    "PublishReport",
    "Publisher",
    "SourceOptions",
    "TopicPublisher",
    "Worker",
    "find_files",
    "follow_files",
    "open_stream",
    "publish_lines",
]
