"""Audits: what only many rows together can tell. They report findings, and never decide about a row."""
