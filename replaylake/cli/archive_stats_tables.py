"""Statistics of an archive for people at a terminal: short tables, with small bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from replaylake.cli.console import excess, pairs, table
from replaylake.cli.safe_text import safe_text
from replaylake.flows.statistics_text import amount, duration, said_range, short

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from lake.statistics.results import ArchiveStatistics, Choices, Group, Spread

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24  # of the longest bar
_PERIODS = 31  # that are listed, the last ones
_TOGETHER = 3  # bins of a histogram that are one sign where room is scarce
_LISTED = 12  # of everything else
_SPREAD = ("mean", "std", "least", "median", "greatest")


def statistics_shown(found: ArchiveStatistics) -> list[RenderableType]:
    """Return what is shown, one below the other."""
    if not found.rows:
        refused = f" {found.quarantined:,} rows were refused." if found.quarantined else ""
        return [f"{found.archive} has no steps there ({safe_text(said_range(found))}).{refused}"]
    shown: list[RenderableType] = [_overview(found), "", _spreads(found)]
    for one in _choices(found):
        shown += ["", _choice_table(one)]
    if len(found.over_time) > 1:
        shown += ["", _over_time(found)]
    if found.policy_count > 1 or found.policies[0].name is not None:
        shown += ["", _groups("policy", found.policies, found.policy_count)]
    if len(found.sources) > 1:
        shown += ["", _groups("source", found.sources, len(found.sources))]
    if found.quarantine:
        shown += ["", _refused(found)]
    return shown


def _overview(found: ArchiveStatistics) -> Table:
    episodes, coverage = found.episodes, found.coverage
    complete, days = found.returns_of == "complete", f"{found.first_date} to {found.last_date}"
    missing = sum(gap.days for gap in found.gaps)
    tiers = "; ".join(f"{tier.name} {amount(tier.bytes)} in {tier.files:,} files" for tier in found.tiers)
    seen = [f"{one.seen:,} of {one.possible:,} choices of {one.name}" for one in coverage.choices[:3]]
    if coverage.pairs is not None:
        seen.append(f"{coverage.pairs.seen:,} of {coverage.pairs.possible:,} pairs of state and action")
    if coverage.bins:
        bins = [sum(one.seen for one in coverage.bins), sum(one.possible for one in coverage.bins)]
        seen.append(f"{bins[0]:,} of {bins[1]:,} bins of {len(coverage.bins)} dimensions")
    known = coverage.propensities
    return pairs(
        {
            "archive": found.archive,
            "range": safe_text(said_range(found)),
            "days": f"{days}, {found.dates:,} with steps"
            + (f", {missing:,} between without" * bool(missing)),
            "steps": f"{found.rows:,}"
            + (f", {found.rows_without_episode:,} of no episode" * bool(found.rows_without_episode)),
            "flagged": f"{found.flagged:,}, {100 * found.flagged / found.rows:.2g}%",
            "episodes": f"{episodes.count:,}: {episodes.complete:,} complete, {episodes.incomplete:,} not",
            "endings": f"{episodes.terminated:,} terminated, {episodes.truncated:,} truncated, "
            f"{episodes.open:,} open",
            "returns": _said(found.returns[found.returns_of], complete),
            "lengths": _said(found.lengths[found.returns_of], complete),
            "rewards": _missing(found.rewards),
            "propensities": f"{known.seen:,} of {known.possible:,} steps have one",
            "coverage": "; ".join(seen),
            "kept": f"{tiers}; {amount(found.bytes_per_step or 0)} a step",
            "lag": _lag(found),
            "agents": f"{found.agent_count:,}",
            "refused": f"{found.quarantined:,} rows, in quarantine",
        }
    )


def _lag(found: ArchiveStatistics) -> str:
    levels = found.lag.quantiles
    if levels is None:
        return ""
    return f"median {duration(levels['p50'])}, 95% within {duration(levels['p95'])}, from event to lake"


def _said(spread: Spread, complete: bool) -> str:
    if not spread.count or spread.quantiles is None:
        return "none is known"
    median, of = short(spread.quantiles["p50"]), f"{'complete ' if complete else ''}episodes"
    said = f"mean {short(spread.mean)}, median {median}, {short(spread.min)} to {short(spread.max)}"
    return f"{said}  {spark(spread)}  of {spread.count:,} {of}"


def _missing(spread: Spread) -> str:
    parts = [f"{spread.missing:,} never came" * bool(spread.missing)]
    parts.append(f"{spread.not_finite:,} not finite" * bool(spread.not_finite))
    return ", ".join(filter(None, parts))


def spark(spread: Spread, together: int = 1) -> str:
    """Draw a histogram in one line, so many of its bins as one sign."""
    held = spread.histogram.counts if spread.histogram else ()
    counts = [sum(held[at : at + together]) for at in range(0, len(held), together)]
    most = max(counts, default=0)
    return "".join(" " if not count else _BARS[(len(_BARS) - 1) * count // most] for count in counts)


def _spreads(found: ArchiveStatistics) -> Table:
    """Return a line for the rewards and each dimension of the spaces, a shorter one where room is scarce."""
    made = _spread_table(found, short_lines=False)
    return _spread_table(found, short_lines=True) if excess(made) else made


def _spread_table(found: ArchiveStatistics, *, short_lines: bool) -> Table:
    leaves = (*found.actions, *found.observations)
    every = [found.rewards, *(spread for leaf in leaves for spread in leaf.spreads)]
    if found.propensities.count:
        every.insert(1, found.propensities)
    sampled = {spread.name for leaf in leaves if leaf.sampled for spread in leaf.spreads}
    notes = {one.name: "sampled" if one.name in sampled else _missing(one) for one in every[:_PERIODS]}
    figures = [name for name in _SPREAD if not (short_lines and name == "std")]
    noted = [""] if any(notes.values()) else []
    made = table("values", *figures, *noted, "distribution", numbers=_SPREAD)
    for one in every[:_PERIODS]:
        median = one.quantiles["p50"] if one.quantiles else None
        values = dict(zip(_SPREAD, (one.mean, one.std, one.min, median, one.max), strict=True))
        made.add_row(
            one.name,
            *(short(values[name]) for name in figures),
            *(notes[one.name] for _ in noted),
            spark(one, _TOGETHER if short_lines else 1),
        )
    if len(every) > _PERIODS:
        made.add_row(f"and {len(every) - _PERIODS:,} more: see --json or --html")
    return made


def _choices(found: ArchiveStatistics) -> Iterator[Choices]:
    every = [one for leaf in (*found.actions, *found.observations) for one in leaf.choices]
    yield from every[:4]


def _choice_table(one: Choices) -> Table:
    made = table(one.name, "steps", "%", "", numbers=("steps", "%"))
    most = sorted(one.counts, key=lambda pair: -pair[1])[:_LISTED]
    for choice, count in sorted(most):
        bar = _bar(count, most[0][1])
        made.add_row(str(choice), f"{count:,}", f"{100 * count / max(one.count, 1):.1f}", bar)
    if one.seen > len(most):
        made.add_row(f"and {one.seen - len(most):,} more")
    return made


def _over_time(found: ArchiveStatistics) -> Table:
    made = table(
        found.by, "steps", "", "episodes", "median return", "10% to 90%", "mean length",
        numbers=("steps", "episodes", "median return", "10% to 90%", "mean length"),
    )  # fmt: skip
    shown = found.over_time[-_PERIODS:]
    most = max(period.rows for period in shown)
    for period in shown:
        levels = period.returns.quantiles
        made.add_row(
            period.name,
            f"{period.rows:,}",
            _bar(period.rows, most),
            f"{period.episodes:,}",
            short(levels["p50"]) if levels else "",
            f"{short(levels['p10'])} to {short(levels['p90'])}" if levels else "",
            short(period.lengths.mean),
        )
    return made


def _groups(name: str, groups: Sequence[Group], total: int) -> Table:
    from rich.text import Text

    made = table(name, "steps", "", "episodes", "mean return", numbers=("steps", "episodes", "mean return"))
    for one in groups[:_LISTED]:
        made.add_row(
            Text("unknown", style="dim") if one.name is None else Text(safe_text(one.name)),
            f"{one.rows:,}",
            _bar(one.rows, groups[0].rows),
            f"{one.episodes:,}",
            short(one.mean_return),
        )
    if total > _LISTED:
        made.add_row(f"and {total - _LISTED:,} more")
    return made


def _refused(found: ArchiveStatistics) -> Table:
    from rich.text import Text

    made = table("refused for", "rows", numbers=("rows",))
    for one in found.quarantine[:_LISTED]:
        made.add_row(Text(safe_text(one.reason)), f"{one.rows:,}")
    return made


def _bar(count: int, most: int) -> str:
    """Draw a bar; what is there at all has a mark."""
    return "█" * max(round(_WIDTH * count / max(most, 1)), 1 if count else 0)
