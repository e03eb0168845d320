"""The stream in Apache Kafka: administered and written by kafka-python, read by either client."""

from ingest.streams.kafka.options import KafkaOptions
from ingest.streams.kafka.stream import KafkaStream

__all__ = ["KafkaOptions", "KafkaStream"]
