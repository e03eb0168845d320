"""Sources: where experience comes from that no publisher of ours has made."""

from ingest.sources.finding import find_files
from ingest.sources.following import follow_files
from ingest.sources.ledger import Ledger
from ingest.sources.lines import publish_lines
from ingest.sources.options import SourceOptions
from ingest.sources.publishing import FilePublisher, PublishReport
from ingest.sources.reading import open_records
from ingest.sources.topic import records_of
from ingest.sources.topic_publishing import TopicPublisher

__all__ = [
    "FilePublisher",
    "Ledger",
    "PublishReport",
    "SourceOptions",
    "TopicPublisher",
    "find_files",
    "follow_files",
    "open_records",
    "publish_lines",
    "records_of",
]
