"""The gate of an archive, and whether its suite has changed since: for workers that run."""

from __future__ import annotations

import json

from lake import Archive
from schemas.errors import SpecChangedError, StorageError
from validation import Gate, Suite


class SuiteWatch:
    """Know the gate of an archive: the spec's own rules, and its suite where it has one."""

    def __init__(self, archive: Archive) -> None:
        """Compile the gate; raise SuiteError where the suite does not fit the archive."""
        self._archive = archive
        self._seen = self._read()
        self._unreadable = ""
        self.gate = self._compiled()

    def new_gate(self) -> Gate | None:
        """Return the gate of a suite that is new, and None where the archive is judged as before.

        Raise SuiteError or StorageError for a suite that cannot be: once, and `gate` stays as it was. Raise
        SpecChangedError where the archive's spec has grown: then its gate is of a spec that is no more.
        """
        if self._archive.is_outdated:
            raise SpecChangedError(f"The spec of {self._archive.name!r} has changed.")
        try:
            found = self._read()
        except StorageError as exc:
            if exc.message == self._unreadable:
                return None
            self._unreadable = exc.message
            raise
        self._unreadable = ""
        if found == self._seen:
            return None
        self._seen = found
        gate = self._compiled()
        if gate.suite_hash == self.gate.suite_hash:
            return None
        self.gate = gate
        return gate

    def _read(self) -> str:
        """Read the suite's content, whose text tells true from 1."""
        return json.dumps(self._archive.suite)

    def _compiled(self) -> Gate:
        content = json.loads(self._seen)
        return Gate(self._archive.spec, None if content is None else Suite.from_dict(content))
