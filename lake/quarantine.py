"""Choose rows of quarantine, and say what is there: by reason, one by one, or in batches to be replayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from lake.commits import CommitLog
from lake.replay_log import ROW_IDENTITY, ReplayLists, ReplayLog
from lake.tables import ArchiveTables
from lake.views import TableFiles, connect, literal, refused_condition, unreadable
from schemas.errors import UsageError

_BATCH_BYTES = 64 << 20  # of files that are read together
_ORDER = ", ".join(("ingested_at", *(name for name in ROW_IDENTITY if name != "ingested_at")))
_ID = "concat_ws('/', stream_topic, stream_partition, stream_offset, stream_row)"


@dataclass(frozen=True, slots=True)
class QuarantineChoice:
    """Say which rows of quarantine are meant: those that meet all that is given.

    A reason is meant as a whole, such as `in_space(action)`, or as a rule, such as `in_space`. An id is
    `topic/partition/offset/row`; without the row it means every row of the message. `since` and `until`
    are days of the messages, both included. `where` is SQL over the columns of quarantine.
    """

    ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    where: str | None = None

    @property
    def condition(self) -> str:
        """The SQL condition that all but `where` comes to; raise UsageError for an id that is none."""
        parts = ["true"]
        if self.ids:
            parts.append(_any(map(_id_condition, self.ids)))
        if self.reasons:
            parts.append(_any(map(_reason_condition, self.reasons)))
        if self.sources:
            parts.append(_any(f"source = {literal(source)}" for source in self.sources))
        if self.since is not None:
            parts.append(f"date >= {literal(self.since.isoformat())}")
        if self.until is not None:
            parts.append(f"date <= {literal(self.until.isoformat())}")
        return " and ".join(parts)


def _any(conditions: Iterator[str] | Sequence[str]) -> str:
    return f"({' or '.join(conditions)})"


def _reason_condition(reason: str) -> str:
    starts = literal(f"{reason}(")
    return f"(len(list_filter(reasons, lambda r: r = {literal(reason)} or starts_with(r, {starts}))) > 0)"


def _id_condition(row_id: str) -> str:
    topic, *numbers = row_id.split("/")
    if not topic or len(numbers) not in (2, 3) or not all(map(str.isdecimal, numbers)):
        raise UsageError(
            f"The id {row_id!r} is not topic/partition/offset/row.",
            hint="See `replaylake quarantine show NAME`.",
        )
    places = zip(("stream_partition", "stream_offset", "stream_row"), numbers, strict=False)
    said = [f"{name} = {int(number)}::hugeint" for name, number in places]
    return f"({' and '.join([f'stream_topic = {literal(topic)}', *said])})"


@dataclass(frozen=True, slots=True)
class ReasonSummary:
    """Say of a reason how many rows of quarantine have it, since when, of whom, and show one of them."""

    reason: str
    rows: int
    first_date: str
    last_date: str
    sources: tuple[str, ...]  # five at most; rows that did not decode name none
    example_id: str
    example_detail: str


def quarantine_reasons(
    archive: ArchiveTables, choice: QuarantineChoice, *, resolved: bool = False
) -> list[ReasonSummary]:
    """Count the rows of quarantine by reason, most frequent first; a row counts under each of its reasons.

    With `resolved` those that a replay has resolved count, too. Raise QueryError for a condition that is
    none.
    """
    query = f"""
        select reason, count(*) as rows, min(date) as first_date, max(date) as last_date,
            list_sort(list(distinct source) filter (source is not null))[:5] as sources,
            arg_min({_ID}, ({_ORDER})) as example_id, arg_min(detail, ({_ORDER})) as example_detail
        from (select unnest(reasons) as reason, date, source, detail, {", ".join(ROW_IDENTITY)} from chosen)
        group by reason order by rows desc, reason
    """
    found = _ask(archive, choice, query, resolved).to_pylist()
    return [ReasonSummary(**{**row, "sources": tuple(row["sources"] or ())}) for row in found]


def quarantine_count(archive: ArchiveTables, choice: QuarantineChoice, *, resolved: bool = False) -> int:
    """Count the rows of quarantine that are meant."""
    counted = _ask(archive, choice, "select count(*) as n from chosen", resolved)
    return int(counted["n"][0].as_py())


def quarantine_rows(
    archive: ArchiveTables, choice: QuarantineChoice, limit: int, *, resolved: bool = False
) -> pa.Table:
    """Return the first rows that are meant, in the order in which they came; see `row_id`.

    The columns are those of the view `quarantine_all`.
    """
    return _ask(archive, choice, f"select * from chosen order by {_ORDER} limit {int(limit)}", resolved)


def row_id(row: Mapping[str, Any]) -> str:
    """Name a row of quarantine by where it came from, as `QuarantineChoice` takes it."""
    places = ("stream_topic", "stream_partition", "stream_offset", "stream_row")
    return "/".join(str(row[name]) for name in places)


def _ask(archive: ArchiveTables, choice: QuarantineChoice, query: str, resolved: bool) -> pa.Table:
    steps = archive.table("steps")
    lists = ReplayLog(archive, steps).lists()
    files = TableFiles(archive.table("quarantine"), resolved=lists)
    seen = "true" if resolved else "resolved_by is null"
    return _chosen(files, choice, f"{choice.condition} and {seen}", query)


def unresolved_batches(
    quarantine: CommitLog, lists: ReplayLists, choice: QuarantineChoice, rows: int
) -> Iterator[pa.Table]:
    """Iterate over the rows that are meant and that those lists do not name, oldest files first.

    Files are read together up to so many rows or 64 MiB: a batch is bounded by that, or by one file.
    """
    query = f"select * exclude (action_probability, resolved_by, resolved_as) from chosen order by {_ORDER}"
    condition = f"{choice.condition} and resolved_by is null"
    for files in _groups(quarantine.file_sizes(), rows):
        found = _chosen(TableFiles(quarantine, files, lists), choice, condition, query)
        if found.num_rows:
            yield found


def _groups(files: Sequence[tuple[str, int, int]], rows: int) -> Iterator[list[str]]:
    group: list[str] = []
    held = size = 0
    for path, count, length in files:
        if group and (held + count > rows or size + length > _BATCH_BYTES):
            yield group
            group, held, size = [], 0, 0
        group.append(path)
        held, size = held + count, size + length
    if group:
        yield group


def _chosen(files: TableFiles, choice: QuarantineChoice, condition: str, query: str) -> pa.Table:
    """Run a query over the view `chosen`: the rows that meet both conditions."""
    with connect({"held": {"quarantine": files}}) as connection:
        rows = connection.sql(f"select * from held.quarantine_all where {condition}")
        try:
            if choice.where is not None:
                rows = rows.filter(choice.where)  # which takes one expression, and no more
            rows.create_view("chosen")
            return connection.sql(query).to_arrow_table()
        except duckdb.Error as exc:
            if choice.where is None:
                raise unreadable(exc) from exc
            raise refused_condition(choice.where, exc, "quarantine") from exc
