"""The history of an archive's audits: a JSON document for each, beside the tables.

A document is named by the version that its audit looked up to, and the one that the audit before it did. It
is written before the audit commits, so an audit that dies in between leaves one behind that counts for
nothing: the documents that count are the chain that leads back from the last audited version.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from lake.files import read_json, write_json
from lake.stores import Store

_FOLDER = "audits"
_NAME = re.compile(r"(\d{20})-(\d{20}|start)\.json")


class AuditLog:
    """Keep the documents of an archive's audits, as of the last version that was audited (-1: none)."""

    def __init__(self, archive: Store, last: int) -> None:
        self._store = archive.below(_FOLDER)
        self._last = last

    def write(self, document: Mapping[str, Any], version: int, previous: int) -> None:
        """Write what an audit found up to a version, durably, in place of what its like found before.

        `previous` is the last version that was audited before; the same one for an audit that looks again.
        """
        write_json(self._store, _file(version, previous), document)

    def history(self) -> list[dict[str, Any]]:
        """Return the documents by version, oldest first: one for each time that the audits moved on.

        Together they tell of every row once, but for those of an audit that began anew (`since` is -1).
        What an audit found that looked again at the last version is not among them: see `latest`.
        """
        return [read_json(self._store, _file(*link)) for link in self._chain()]

    def first_version(self) -> int | None:
        """Return the version that the first audit of the history looked up to, or None without one."""
        chain = self._chain()
        return chain[0][0] if chain else None

    def latest(self) -> dict[str, Any] | None:
        """Return what was found last: of the newest version, by the audit that looked last at it."""
        try:
            return read_json(self._store, _file(self._last, self._last))
        except FileNotFoundError:
            chain = self._chain()
            return read_json(self._store, _file(*chain[-1])) if chain else None

    def _chain(self) -> list[tuple[int, int]]:
        """Return the links that count, oldest first; their documents are many, and are not read for it."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for version, previous in self._links():
            if previous < version <= self._last:
                found[version].append(previous)
        chain = []
        at = self._last
        for version in sorted(found, reverse=True):
            if version > at:
                continue  # nobody moved on to it: the audit that counts passed it by
            # Of two, the one from the later version counts: had the other landed, that one could not begin.
            at = max(found[version])
            chain.append((version, at))
        return chain[::-1]

    def _links(self) -> list[tuple[int, int]]:
        matches = map(_NAME.fullmatch, self._store.names(suffix=".json"))
        return [(int(match[1]), -1 if match[2] == "start" else int(match[2])) for match in matches if match]


def _file(version: int, previous: int) -> str:
    begun = "start" if previous < 0 else f"{previous:020d}"
    return f"{version:020d}-{begun}.json"
