"""Write the lake that others read, and beside it what they are to find, in a form that is nobody's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest import MemoryStream
from lake import Archive, Lake
from replaylake import ingest_once
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Space
from schemas.step import wire_schema
from schemas.steps import Steps
from tests.interop.content import (
    NESTED,
    NEW_COLUMNS,
    NOON,
    PLAIN,
    STREAMED,
    messages,
    nested_rows,
    new_values,
    plain_rows,
)
from tests.interop.readers.agreement import plain

Rows = list[dict[str, Any]]
Condition = tuple[str, str, Any]
_LATER = NOON + timedelta(days=2)


def write(lake: Lake, document: Path) -> None:
    """Make the archives, and write what is in their tables to the document."""
    tables = [*_plain(lake), *_nested(lake), *_streamed(lake)]
    document.write_text(json.dumps({"tables": tables}), encoding="utf-8")


def _plain(lake: Lake) -> list[dict[str, Any]]:
    """Write texts of every kind to partitions and columns, and add columns when half of it is there."""
    archive = lake.create(PLAIN.name, spec=PLAIN)
    old, new = plain_rows(0, 16), plain_rows(16, 12)
    _append(archive, old)
    _grow(archive, NEW_COLUMNS)
    _append(archive, [row | new_values(place) for place, row in enumerate(new)])
    rows = [row | dict.fromkeys(NEW_COLUMNS) for row in old]
    rows += [row | new_values(place) for place, row in enumerate(new)]
    conditions: list[Condition] = [
        ("event_id", "=", "plain-013"),
        ("agent_id", "=", "a%2Fb"),
        ("policy_version", "is", None),
        ("source", "=", "a%2Fb"),
        ("step", ">=", 2**63 - 30),
        ("event_time", ">=", _LATER),
        ("said", "=", "two\nlines"),
    ]
    return [_table(archive, "steps", "event_id", rows, conditions)]


def _nested(lake: Lake) -> list[dict[str, Any]]:
    """Write Dict and Tuple spaces with images, some rows twice, to files of which most are then compacted."""
    archive = lake.create(NESTED.name, spec=NESTED)
    rows = nested_rows(0, 32)
    _append(archive, rows[0::4])
    _append(archive, rows[0::8])
    _append(archive, rows[1::4])
    _grow(archive, NEW_COLUMNS)
    grown = [row | new_values(place) if place % 4 > 1 else row for place, row in enumerate(rows)]
    _append(archive, grown[2::4])
    files = len(archive.table("steps").file_names())
    archive.compact()
    assert len(archive.table("steps").file_names()) < files
    _append(archive, grown[3::4])
    conditions = [
        ("step", ">=", 2**62),
        ("event_time", ">=", _LATER),
        ("lights", "is", None),
    ]
    expected = [dict.fromkeys(NEW_COLUMNS) | row for row in grown]
    return [_table(archive, "steps", "event_id", expected, conditions)]


def _streamed(lake: Lake) -> list[dict[str, Any]]:
    """Ingest messages of which some are refused."""
    archive = lake.create(STREAMED.name, spec=STREAMED)
    stream = MemoryStream()
    topic = stream.create_topic(STREAMED.topic, 1)
    producer = stream.producer()
    landed: Rows = []
    refused: Rows = []
    for offset, (message, row, refusal) in enumerate(messages()):
        raw = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        producer.send(topic.name, raw, partition=0)
        row |= {"stream_topic": topic.name, "stream_partition": 0, "stream_offset": offset, "stream_row": 0}
        if refusal is None:
            landed.append(row | {"flags": [], "quality_score": 1.0})
        else:
            reason, detail = refusal
            kept = raw if reason == "undecodable" else None
            refused.append(row | {"reasons": [reason], "detail": detail, "raw": kept})
    producer.close()
    ingest_once(lake, archive.name, stream=stream)
    conditions: list[Condition] = [("stream_offset", ">=", 3)]
    return [
        _table(archive, "steps", "stream_offset", landed, conditions),
        _table(archive, "quarantine", "stream_offset", refused, conditions),
    ]


def _append(archive: Archive, rows: Rows) -> None:
    archive.append(Steps(pa.Table.from_pylist(rows, schema=wire_schema(archive.spec)), archive.spec))


def _grow(archive: Archive, columns: Mapping[str, Space]) -> None:
    spec = archive.spec
    archive.evolve(ArchiveSpec(**{**dict(spec), "extras": {**spec.extras, **columns}}))


def _table(
    archive: Archive, name: str, key: str, rows: Sequence[dict[str, Any]], conditions: Sequence[Condition]
) -> dict[str, Any]:
    return {
        "name": f"{archive.name}.{name}",
        "uri": archive.store.uri(name),
        "key": key,
        "partition_by": ["date", *(archive.spec.partition_by if name == "steps" else ())],
        "columns": list(rows[0]),
        "rows": [{column: plain(value) for column, value in row.items()} for row in rows],
        "conditions": [
            {
                "column": column,
                "sign": sign,
                "value": plain(value),
                "keys": sorted(row[key] for row in rows if _meets(row[column], sign, value)),
            }
            for column, sign, value in conditions
        ],
    }


def _meets(held: Any, sign: str, value: Any) -> bool:
    if sign == "is" or held is None:
        return sign == "is" and held is None
    return bool(held == value if sign == "=" else held >= value)
