"""The ingest floor: streams, publishers, sources and the worker."""

from ingest.intake import Intake
from ingest.lookahead import PollPolicy
from ingest.publisher import Linger, Publisher
from ingest.report import IngestReport
from ingest.sources.lines import publish_lines
from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import MemoryStream
from ingest.streams.urls import open_stream
from ingest.worker import FlushPolicy, Worker

__all__ = [
    "EmbeddedStream",
    "FlushPolicy",
    "IngestReport",
    "Intake",
    "Linger",
    "MemoryStream",
    "PollPolicy",
    "Publisher",
    "Worker",
    "open_stream",
    "publish_lines",
]
