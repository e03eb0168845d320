"""Sources: where experience comes from that no publisher of ours has made."""

from ingest.sources.lines import publish_lines

__all__ = ["publish_lines"]
