"""Mapping: which fields of outside records become which columns of a step."""

from ingest.mapping.application import Application
from ingest.mapping.record_mapping import RecordMapping

__all__ = ["Application", "RecordMapping"]
