"""Streams: where experience waits between those who publish and the worker that lands it."""

from ingest.streams.assignment import partition_for, routing_key
from ingest.streams.embedded import EmbeddedStream
from ingest.streams.memory import MemoryStream
from ingest.streams.urls import open_stream

__all__ = ["EmbeddedStream", "MemoryStream", "open_stream", "partition_for", "routing_key"]
