"""The ingest floor: streams, publishers, sources and the worker."""

from ingest.publishing.async_publisher import AsyncPublisher
from ingest.publishing.limits import Limits, Linger
from ingest.publishing.publisher import Publisher
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
from ingest.worker.intake import Intake
from ingest.worker.lookahead import PollPolicy
from ingest.worker.report import IngestReport
from ingest.worker.worker import FlushPolicy, Worker

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
