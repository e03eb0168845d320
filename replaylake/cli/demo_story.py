"""The parts of the demo as people see them on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from lake import Snapshot
from replaylake.cli.console import pairs, table
from replaylake.flows.demo import Figures, Landed, Part, Played, Scores

if TYPE_CHECKING:
    from rich.console import RenderableType

    from replaylake.flows.demo.queries import Answer

_NAMES = {
    "cql": "CQL, learned from the snapshot",
    "bc": "behaviour cloning, of the same snapshot",
    "behaviour": "behaviour policy, played anew",
}
_INDENT = 3


def shown(part: Part) -> Iterator[RenderableType]:
    """Iterate over what is printed of a part."""
    match part:
        case Played():
            yield from _played(part)
        case Landed():
            yield from _landed(part)
        case Snapshot():
            yield _title(4, "Pin a snapshot, and learn from it")
            yield _said(f"{part.id}: {part.rows:,} steps, the same for as long as it is kept.")
        case Scores():
            yield from _scores(part)
        case Figures():
            yield from _end(part)
        case answers:
            yield _title(3, "Ask the lake in SQL")
            for answer in answers:
                yield from _answer(answer)


def _played(part: Played) -> Iterator[RenderableType]:
    yield _title(1, "Play and publish")
    yield _said(
        f"{part.steps:,} steps of {part.env} in {part.episodes:,} episodes by a poor mixed policy "
        f"(mean return {part.mean_return:.1f})."
    )
    yield _said(f"{part.good:,} went out as they are, and {part.broken:,} broken on purpose.")


def _landed(part: Landed) -> Iterator[RenderableType]:
    report = part.report
    yield _title(2, "Ingest: what passes the gate lands, what fails is kept with its reason")
    yield _said(f"{report.accepted:,} accepted, {report.quarantined:,} in quarantine.")
    numbers = ("published", "found")
    found = table("what was done", *numbers, "reason found", numbers=numbers)
    for damage in part.damage:
        found.add_row(
            damage.kind,
            f"{damage.published:,}",
            Text(f"{damage.found:,}", style="green" if damage.matched else "bold red"),
            Text(", ".join(damage.reasons)),
        )
    yield _below(found)


def _answer(answer: Answer) -> Iterator[RenderableType]:
    yield _below(Text(answer.query.title, style="bold"))
    yield Padding.indent(Text(answer.query.sql, style="cyan"), _INDENT)
    rows = table()
    for index, name in enumerate(answer.columns):
        number = bool(answer.rows) and not isinstance(answer.rows[0][index], str)
        rows.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in zip(*(_cells(column) for column in zip(*answer.rows, strict=True)), strict=True):
        rows.add_row(*map(Text, row))
    yield _below(rows)
    if answer.query.note:
        yield Padding.indent(Text(answer.query.note, style="dim"), _INDENT)


def _scores(part: Scores) -> Iterator[RenderableType]:
    yield _title(5, f"Play what was learned: {len(part.cql.returns)} episodes each, from the same starts")
    numbers = ("mean return", "95% interval", "worst", "best", "CQL is above by")
    found = table("policy", *numbers, numbers=numbers)
    for name, evaluation in part.by_name().items():
        found.add_row(
            Text(_NAMES[name], style="bold green" if name == "cql" else ""),
            f"{evaluation.mean:.1f}",
            "{:.1f} to {:.1f}".format(*evaluation.interval) if evaluation.interval else "",
            f"{evaluation.min:.0f}",
            f"{evaluation.max:.0f}",
            "" if name == "cql" else f"{part.cql.mean - evaluation.mean:+.1f}",
        )
    yield _below(found)


def _end(part: Figures) -> Iterator[RenderableType]:
    yield _title(6, f"Done in {part.seconds:.1f} s; what to try next")
    places = {"report": part.places.report, "lake": part.places.lake, "policy": part.places.policy}
    yield Padding.indent(pairs(places), _INDENT)
    for what, command in part.next_commands:
        yield _below(Text(what, style="dim"))
        yield Text(f"   {command}")


def _title(number: int, text: str) -> RenderableType:
    return Text.assemble("\n", (f"{number}  ", "bold green"), (text, "bold"))


def _said(text: str) -> RenderableType:
    return Padding.indent(Text(text), _INDENT)


def _cells(column: Sequence[Any]) -> list[str]:
    """Write a column's values, with as many decimals each as the one that needs most."""
    texts = [f"{value:,}" if isinstance(value, int | float) else str(value) for value in column]
    if not any(isinstance(value, float) for value in column):
        return texts
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return [f"{value:,.{decimals}f}" for value in column]


def _below(renderable: RenderableType) -> RenderableType:
    """Set it off by a line above, and in."""
    return Padding(renderable, (1, 0, 0, _INDENT), expand=False)
