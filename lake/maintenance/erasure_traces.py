"""What else an archive says of rows: the documents of audits, and statistics that are kept to be fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lake.files import read_json, write_json
from lake.maintenance.tombstone import Hasher, Tombstone, words
from lake.tables import ArchiveTables

_AUDITS = "audits"
_STATISTICS = "statistics"
_GONE = "(erased)"


def forget_traces(archive: ArchiveTables, tombstone: Tombstone) -> None:
    """Take the examples out of those audits that name an erased agent; statistics are made anew when asked.

    Counts stay: they tell of nobody.
    """
    for file in list(archive.store.files(_STATISTICS)):
        archive.store.remove(file.name)
    audits = archive.store.below(_AUDITS)
    for name in audits.names(suffix=".json"):
        document = read_json(audits, name)
        named = {text for text in set(_texts(document)) if names_agent(text, tombstone)}
        if named:
            write_json(audits, name, _without(document, named))


def names_agent(text: str, tombstone: Tombstone) -> bool:
    """Say whether a word of a text is the name of an agent of whom rows are erased."""
    hasher = Hasher(tombstone.salt)
    wanted = tombstone.agents if tombstone.agent is None else tombstone.agents | {tombstone.agent}
    return any(hasher("agent", word) in wanted for word in words(text.encode(errors="replace")) | {text})


def _texts(content: Any) -> Iterator[str]:
    """Iterate over all texts of a document, names of fields too."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from content
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _without(document: dict[str, Any], named: set[str]) -> dict[str, Any]:
    """Return a document without examples, and without the texts that name somebody."""
    kept = {**document}
    if "worst_episodes" in kept:
        kept["worst_episodes"] = []
    if "findings" in kept:
        kept["findings"] = [
            {**finding, "examples": []} if "examples" in finding else finding for finding in kept["findings"]
        ]
    cleaned: dict[str, Any] = _cleaned(kept, named)
    return cleaned


def _cleaned(content: Any, named: set[str]) -> Any:
    if isinstance(content, str):
        return _GONE if content in named else content
    if isinstance(content, list):
        return [_cleaned(value, named) for value in content]
    if isinstance(content, dict):
        return {_cleaned(name, named): _cleaned(value, named) for name, value in content.items()}
    return content
