"""`replaylake quarantine list | show | replay`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replaylake.cli.console import pairs, table
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.safe_text import safe_bytes, safe_text
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from lake import QuarantineChoice
    from replaylake.flows.quarantine import ReplayReport

_DAYS = ["%Y-%m-%d"]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The archive.")]
_Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Rows, as topic/partition/offset/row; without /row the whole message."),
]
_Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="R", help="A reason such as in_space(action), or its rule: in_space."),
]
_Sources = Annotated[list[str] | None, typer.Option("--source", metavar="S", help="Who published.")]
_Since = Annotated[
    datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="Messages from this day on.")
]
_Until = Annotated[
    datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="Messages to this day, included.")
]
_Where = Annotated[
    str | None, typer.Option(metavar="SQL", help="What stands after WHERE, over the columns of quarantine.")
]
_All = Annotated[bool, typer.Option("--all", help="With the rows that a replay has resolved.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="quarantine", help="See what was refused and why, and replay it after a fix.")
    add_verb(
        group,
        list_,
        name="list",
        example="""
            replaylake quarantine list cartpole
            replaylake quarantine list cartpole --where "source = 'arm-7'" --since 2026-03-01
        """,
    )
    add_verb(
        group,
        show,
        example="""
            replaylake quarantine show cartpole --reason undecodable
            replaylake quarantine show cartpole replaylake.cartpole/0/17/0
        """,
    )
    add_verb(
        group,
        replay,
        example="""
            replaylake archive suite cartpole mended.json
            replaylake quarantine replay cartpole --dry-run
            replaylake quarantine replay cartpole --reason 'mapping(reward)' --mapping mended.yaml
        """,
    )


def _choice(
    ids: list[str] | None,
    reasons: list[str] | None,
    sources: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    where: str | None,
) -> QuarantineChoice:
    from lake import QuarantineChoice

    return QuarantineChoice(
        ids=tuple(ids or ()),
        reasons=tuple(reasons or ()),
        sources=tuple(sources or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        where=where,
    )


def list_(
    run: Run,
    name: _Name,
    reason: _Reasons = None,
    source: _Sources = None,
    since: _Since = None,
    until: _Until = None,
    where: _Where = None,
    everything: _All = False,
) -> None:
    """Count what was refused, by reason, with an example of each.

    A row that has several reasons counts under each. The days are those of the messages.
    """
    from dataclasses import asdict

    from lake import quarantine_count, quarantine_reasons

    archive = run.lake.archive(name)
    choice = _choice(None, reason, source, since, until, where)
    found = quarantine_reasons(archive, choice, resolved=everything)
    rows = quarantine_count(archive, choice, resolved=everything) if found else 0
    shown = table("reason", "rows", "from", "to", "sources", "for example", numbers=("rows",))
    for one in found:
        shown.add_row(
            _text(one.reason),
            f"{one.rows:,}",
            one.first_date,
            one.last_date,
            _text(", ".join(one.sources)),
            _text(one.example_detail or ""),
        )
    shown.columns[0].no_wrap = True  # it is what --reason takes
    document = {"archive": name, "rows": rows, "reasons": [asdict(one) for one in found]}
    run.answer(document, shown if found else f"Nothing of {name} is in quarantine.")
    if found:
        run.say(f"{rows:,} rows in all.")
        _suggest_show(run, name, found[0].reason)


def show(
    run: Run,
    name: _Name,
    ids: _Ids = None,
    reason: _Reasons = None,
    source: _Sources = None,
    since: _Since = None,
    until: _Until = None,
    where: _Where = None,
    everything: _All = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Rows at most, the first ones.")] = 5,
) -> None:
    """Show rows of quarantine in full: why, what decoded or the bytes as they came, and whence.

    Bytes are shown as text, with what is not printable escaped; with --json they are base64, and whole.
    """
    from lake import quarantine_count, quarantine_rows, row_id

    archive = run.lake.archive(name)
    choice = _choice(ids, reason, source, since, until, where)
    rows = quarantine_rows(archive, choice, limit, resolved=everything).to_pylist()
    ids = [row_id(row) for row in rows]
    parts: list[RenderableType] = []
    for id_, row in zip(ids, rows, strict=True):
        parts.extend([_row_table(id_, row), ""])
    document = [{"id": id_, "row": row} for id_, row in zip(ids, rows, strict=True)]
    run.answer(document, *(parts[:-1] or [f"No such row of {name} is in quarantine."]))
    if len(rows) == limit:
        run.say(f"Shown: {limit:,} of {quarantine_count(archive, choice, resolved=everything):,} rows.")
    if rows:
        run.suggest("quarantine", "replay", name, ids[0], "--dry-run")


def replay(
    run: Run,
    name: _Name,
    ids: _Ids = None,
    reason: _Reasons = None,
    source: _Sources = None,
    since: _Since = None,
    until: _Until = None,
    where: _Where = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Map records that made no step by this mapping.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would land, and land nothing.")
    ] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Rows at most.")] = None,
) -> None:
    """Judge rows of quarantine by the suite of today, and land those that pass; all of them without a choice.

    What lands keeps where it came from, and stands in quarantine no more. What fails stays. However often
    and by however many this is run, and whenever it is stopped, a row lands once.
    """
    from replaylake.flows.quarantine import load_mapping, replay_quarantine

    archive = run.lake.archive(name)
    choice = _choice(ids, reason, source, since, until, where)
    with progress("Replaying") as report:
        done = replay_quarantine(
            archive,
            choice,
            mapping=None if mapping is None else load_mapping(mapping),
            dry_run=dry_run,
            limit=limit,
            on_progress=lambda so_far: report(so_far.chosen, f"{so_far.landed:,} landed"),
        )
    run.answer(done.to_dict(), _report_table(done))
    if dry_run and done.landed:
        run.say("Nothing has landed: this was a dry run.")
    elif done.failed:  # by its id: quarantine keeps the reasons of the first time
        run.suggest(
            "quarantine", "show", name, done.examples[done.reasons.most_common(1)[0][0]].partition(": ")[0]
        )
    elif done.landed:
        run.suggest("query", f"select * from {name}.quarantine_all where resolved_by is not null")  # noqa: S608


def _suggest_show(run: Run, name: str, reason: str) -> None:
    """Suggest to look at a reason, unless it has signs that a terminal would obey."""
    run.suggest("quarantine", "show", name, *(("--reason", reason) if reason.isprintable() else ()))


def _row_table(id_: str, row: dict[str, Any]) -> Table:
    """Return a row for people: why it was refused first, then what it holds."""
    said = {
        "reasons": ", ".join(row["reasons"] or ()),
        "detail": row["detail"],
        "raw": None if row["raw"] is None else safe_bytes(row["raw"]),
    }
    last = ("stream_topic", "stream_partition", "stream_offset", "stream_row")
    held = {name: value for name, value in row.items() if name not in said and name not in last}
    shown = {name: _value(value) for name, value in (said | held).items()}
    return pairs({"row": safe_text(id_), **shown})


def _value(value: object) -> str | None:
    from replaylake.cli.json_text import json_text, plain

    if value is None:
        return None
    found = plain(value)
    return safe_text(found if isinstance(found, str) else json_text(found, indent=None))


def _report_table(done: ReplayReport) -> Table:
    shown = table("", "rows", "for example", numbers=("rows",))
    shown.add_row("would land" if done.dry_run else "landed", f"{done.landed:,}")
    if done.flagged:
        shown.add_row("  flagged", f"{done.flagged:,}", style="dim")
    shown.add_row("there already", f"{done.duplicates:,}")
    if done.taken:
        shown.add_row("replayed by others", f"{done.taken:,}")
    shown.add_row("would stay" if done.dry_run else "stay", f"{done.failed:,}")
    for reason, count in done.reasons.most_common():
        example = _text(done.examples[reason])
        shown.add_row(_text(f"  {reason}"), f"{count:,}", example, style="dim")
    return shown


def _text(content: str) -> Any:
    """Return text that is no markup, whatever it says."""
    from rich.text import Text

    return Text(safe_text(content))
