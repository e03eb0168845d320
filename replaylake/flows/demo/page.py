"""The demo's report: one page of HTML with everything that was found."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from replaylake.flows.demo.figures import BEHAVIOUR, CLONED, LEARNED, Figures, Scores
from replaylake.flows.demo.queries import Answer
from replaylake.report import (
    Bar,
    BarChart,
    ColumnChart,
    DotChart,
    Drawing,
    Series,
    ShareChart,
    bar_chart,
    column_chart,
    dot_chart,
    nice_ticks,
    render_page,
    share_chart,
)

NAMES = {LEARNED: "CQL", CLONED: "cloning", BEHAVIOUR: "behaviour"}
_TONES = {LEARNED: "good", CLONED: "middle", BEHAVIOUR: "plain"}


def write_page(path: Path, figures: Figures) -> None:
    """Write the report; it needs nothing beside itself."""
    template = files("replaylake.flows.demo").joinpath("report.html.j2").read_text(encoding="utf-8")
    per_day, by_angle, by_reason = figures.answers
    content: dict[str, Any] = {
        "figures": figures,
        "names": NAMES,
        "by_reason": by_reason,
        "plots": {
            "returns": returns_plot(figures.scores),
            "days": days_plot(per_day),
            "angles": angles_plot(by_angle),
            "reasons": reasons_plot(by_reason),
        },
        "per_day": per_day,
        "by_angle": by_angle,
    }
    path.write_text(render_page(template, content), encoding="utf-8")


def returns_plot(scores: Scores) -> Drawing:
    """Draw what every evaluation episode returned, policy beside policy."""
    found = scores.by_name()
    series = [Series(NAMES[name], found[name].returns, _TONES[name]) for name in found]
    ticks = nice_ticks(0, max(evaluation.max for evaluation in found.values()))
    label = "Returns per evaluation episode of the learned policy, behaviour cloning and the behaviour policy"
    return dot_chart(DotChart(label, series, "episode", "return", ticks))


def days_plot(answer: Answer) -> Drawing:
    """Draw the mean return of each day."""
    columns = [
        Bar(row["date"][5:], row["mean_return"], f"{row['date']}: {row['episodes']:,} episodes")
        for row in answer.records()
    ]
    return column_chart(ColumnChart("Mean return per day", columns, "day", "mean return"))


def angles_plot(answer: Answer) -> Drawing:
    """Draw how the pushes to both sides share the steps, by the angle of the pole."""
    bars = []
    for row in answer.records():
        start, right = row["from_degrees"], row["percent_right"]
        hint = f"{_signed(start)} to {_signed(start + 3)} degrees: {right}% right of {row['steps']:,} steps"
        bars.append(Bar(_signed(start), right, hint))
    names = ("pushed left", "pushed right")
    return share_chart(
        ShareChart("Action balance by angle", bars, names, "angle of the pole, from so many degrees")
    )


def reasons_plot(answer: Answer) -> Drawing:
    """Draw how many rows are in quarantine for each reason."""
    bars = [Bar(row["reason"], row["rows"], row["for example"]) for row in answer.records()]
    return bar_chart(BarChart("Rows in quarantine by reason", bars, tone="bad", width=960))


def _signed(degrees: int) -> str:
    """Write a number with the minus sign that is as wide as a digit."""
    return str(degrees).replace("-", "\N{MINUS SIGN}")
