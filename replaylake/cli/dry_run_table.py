"""A dry run for people: the first rows, what the gate says of them, and what made no row."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from replaylake.cli.console import table
from replaylake.cli.json_text import json_text, plain
from replaylake.cli.result_table import result_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from replaylake.flows.dry_run import DryRow, DryRun

_RAW = 60  # characters of a refused record
_REASONS = 10


def dry_run_shown(run: DryRun, width: int) -> list[RenderableType]:
    """Return what to print, in order; `width` is that of the screen."""
    from rich.text import Text

    shown: list[RenderableType] = []
    if run.rows:
        shown += [Text("The first rows as they would land:", style="bold"), _rows(run, width)]
    if run.refused:
        shown += ["", Text("The first records that make no row:", style="bold"), _refused(run)]
    if run.reasons:
        shown += ["", _reasons(run)]
    shown += ["", Text(_summary(run))]
    return shown


def _rows(run: DryRun, width: int) -> RenderableType:
    names = list(dict.fromkeys(name for row in run.rows for name in row.values))
    columns: dict[str, list[str | None]] = {"verdict": [_verdict(row) for row in run.rows]}
    for name in names:
        columns[name] = [_plain_text(row.values.get(name)) for row in run.rows]
    shown = pa.table({name: pa.array(held) for name, held in columns.items()})
    return result_table(shown.to_reader(), width)[0]


def _plain_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(one, float) for one in value):
        return f"[{', '.join(f'{one:.4g}' for one in value)}]"
    return f"{len(value):,} bytes" if isinstance(value, bytes) else json_text(plain(value), indent=None)


def _verdict(row: DryRow) -> str:
    if not row.accepted:
        return f"refused: {row.detail or ', '.join(row.reasons)}"
    return f"flagged: {', '.join(row.flags)}" if row.flags else "lands"


def _refused(run: DryRun) -> RenderableType:
    from rich.text import Text

    made = table("reason", "why", "record")
    for one in run.refused:
        raw = one.raw[: 4 * _RAW].decode(errors="replace")
        made.add_row(Text(one.reason), Text(one.detail), Text(" ".join(raw[:_RAW].split())))
    return made


def _reasons(run: DryRun) -> RenderableType:
    from rich.text import Text

    made = table("reason", "count", numbers=("count",))
    for reason, count in list(run.reasons.items())[:_REASONS]:
        made.add_row(Text(reason), f"{count:,}")
    return made


def _summary(run: DryRun) -> str:
    parts = [f"{run.accepted:,} land"]
    if run.flagged:
        parts[0] += f" ({run.flagged:,} of them flagged)"
    if run.rejected:
        parts.append(f"{run.rejected:,} the gate refuses")
    if run.unmapped:
        parts.append(f"{run.unmapped:,} make no row")
    if run.left_out:
        parts.append(f"{run.left_out:,} are left out")
    if run.repeated:
        parts.append(f"{run.repeated:,} repeat the key of an earlier one")
    looked = f"Of {'' if run.complete else 'the first '}{run.records:,} records"
    return f"{looked}, {', '.join(parts)}. Nothing was sent."
