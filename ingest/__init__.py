"""The ingest floor: streams, publishers and sources."""

from ingest.publisher import Linger, Publisher
from ingest.sources.lines import publish_lines
from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import MemoryStream
from ingest.streams.urls import open_stream

__all__ = ["EmbeddedStream", "Linger", "MemoryStream", "Publisher", "open_stream", "publish_lines"]
