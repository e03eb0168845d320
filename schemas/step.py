"""The step: the one record that flows. Its columns, and the schemas of the wire and the two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from schemas.archive_spec import ArchiveSpec

WIRE_VERSION = 2
TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """Describe a column of the step; a type of None is decided by the archive's spec."""

    name: str
    type: pa.DataType | None
    required: bool = False
    default: str | float | None = None  # stands where the wire has no value


WIRE_COLUMNS = (
    Column("event_id", pa.string()),
    Column("source", pa.string(), required=True, default="default"),
    Column("agent_id", pa.string(), required=True, default="default"),
    Column("episode_id", pa.string()),
    Column("step", pa.int64()),
    Column("observation", None, required=True),
    Column("action", None, required=True),
    Column("action_log_prob", pa.float64()),
    Column("action_mask", pa.list_(pa.bool_())),
    Column("reward", pa.float64()),
    Column("next_observation", None),
    Column("terminated", pa.bool_(), required=True),
    Column("truncated", pa.bool_(), required=True),
    Column("discount", pa.float32()),
    Column("policy_version", pa.string()),
    Column("event_time", TIMESTAMP),
    Column("info", pa.string()),
    Column("priority", pa.float32(), required=True, default=1.0),
)
GATE_FIELDS = (pa.field("quality_score", pa.float32()), pa.field("flags", pa.list_(pa.string())))
LINEAGE_FIELDS = (
    pa.field("stream_topic", pa.string()),
    pa.field("stream_partition", pa.int32()),
    pa.field("stream_offset", pa.int64()),
    pa.field("stream_row", pa.int32()),
    pa.field("ingested_at", TIMESTAMP),
)
REASON_FIELDS = (
    pa.field("reasons", pa.list_(pa.string())),
    pa.field("detail", pa.string()),  # for people: what was wrong with which value
    pa.field("raw", pa.binary()),  # the bytes as they came, where they did not decode
    pa.field("suite_hash", pa.string()),
)
DATE_FIELD = pa.field("date", pa.string())
KEY_COLUMNS = ("event_id", "source", "agent_id", "episode_id", "step")
# The full key, in the order that reading and rewriting keep rows in.
ROW_ORDER = ("source", "agent_id", "episode_id", "step", "event_id")
PROPENSITY_ALIAS = "action_probability"  # the wire takes it for action_log_prob, the SQL views show both
RESERVED_COLUMNS = frozenset(
    {column.name for column in WIRE_COLUMNS}
    | {field.name for field in (*GATE_FIELDS, *LINEAGE_FIELDS, *REASON_FIELDS, DATE_FIELD)}
    | {PROPENSITY_ALIAS, "version", "resolved_by", "resolved_as"}
)


def wire_schema(spec: ArchiveSpec) -> pa.Schema:
    """Return the columns that a publisher may send, extras last."""
    spaces = spec.spaces
    fields = [pa.field(column.name, column.type or spaces[column.name].arrow_type) for column in WIRE_COLUMNS]
    return pa.schema(fields + [pa.field(name, space.arrow_type) for name, space in spec.extras.items()])


def steps_schema(spec: ArchiveSpec) -> pa.Schema:
    """Return the columns of the steps table: the wire's, the gate's, the lineage and the date."""
    return pa.schema([*wire_schema(spec), *GATE_FIELDS, *LINEAGE_FIELDS, DATE_FIELD])


def quarantine_schema(spec: ArchiveSpec) -> pa.Schema:
    """Return the columns of the quarantine table: what decoded, why it was refused, and whence."""
    return pa.schema([*wire_schema(spec), *REASON_FIELDS, *LINEAGE_FIELDS, DATE_FIELD])
