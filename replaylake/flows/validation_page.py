"""The report of an archive's validation as one page of HTML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from replaylake.flows.validation_report import ValidationReport, count_severities
from replaylake.report import (
    Drawing,
    Histogram,
    LineChart,
    Part,
    StackedChart,
    distance,
    histogram,
    line_chart,
    nice_ticks,
    render_page,
    stacked_chart,
)
from validation.audits.report import AuditReport

_AUDITS = 40  # that a trend shows, the last ones
_CODES = 6  # that have a colour of their own
_TONES = {
    "rejects": ("bad", "middle", "good", "third", "well", "second"),
    "flags": ("middle", "good", "third", "well", "second", "bad"),
}
_VERBS = {"rejects": "refused", "flags": "flagged"}
_OTHERS = "others"
_SPANS = 30  # of suites, the last ones
_PLOTS = 12  # of distributions, shown at once
_SIGNS = 140  # of a value
_EXAMPLES = 5
Kind = Literal["rejects", "flags"]
_ABOUT = ("column", "column_A", "column_B", "column_list", "column_set")


@dataclass(frozen=True, slots=True)
class Trend:
    """A plot with the names of its colours."""

    drawing: Drawing
    names: tuple[tuple[str, str], ...]  # a tone, and what it stands for


@dataclass(frozen=True, slots=True)
class Spread:
    """How the values of one leaf lie, and how far from the reference."""

    name: str
    drawing: Drawing
    apart: float | None


def validation_page(report: ValidationReport) -> str:
    """Return the page; it needs nothing beside itself, and escapes all that the archive holds."""
    template = files("replaylake.report").joinpath("templates/validation.html.j2")
    latest = report.latest
    shown = list(report.history[-_AUDITS:]) or [latest]
    content = {
        "report": report,
        "latest": latest,
        "severities": count_severities(latest),
        "refused_percent": _percent(latest.quarantined, latest.rows + latest.quarantined),
        "shown": shown,
        "rejects": code_trend(shown, "rejects"),
        "flags": code_trend(shown, "flags"),
        "quality": quality_trend(shown),
        "findings": [_finding(one.to_dict()) for one in latest.findings],
        "expectations": _expectations(latest.results),
        "unmet": _unmet(latest.results),
        "spreads": spreads(latest),
        "plots": _PLOTS,
        "episodes": [_episode(one) for one in latest.worst_episodes],
        "spans": report.suites[-_SPANS:][::-1],
    }
    return render_page(template.read_text(encoding="utf-8"), content)


def code_trend(audits: Sequence[AuditReport], kind: Kind) -> Trend | None:
    """Draw how many percent of the rows that came each rule refused or flagged, audit by audit."""
    held: list[Mapping[str, int]] = [getattr(audit, kind) for audit in audits]
    total: Counter[str] = Counter()
    for counts in held:
        total.update(counts)
    if not total:
        return None
    codes = [code for code, _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))]
    named, rest = codes[:_CODES], codes[_CODES:]
    came = [audit.rows + audit.quarantined for audit in audits]
    parts = [
        Part(
            code, [_percent(counts.get(code, 0), rows) for counts, rows in zip(held, came, strict=True)], tone
        )
        for code, tone in zip(named, _TONES[kind], strict=False)
    ]
    if rest:
        sums = [sum(counts.get(code, 0) for code in rest) for counts in held]
        others = [_percent(count, rows) for count, rows in zip(sums, came, strict=True)]
        parts.append(Part(f"{_OTHERS} ({len(rest)})", others, "plain"))
    label = f"Percent of the rows that were {_VERBS[kind]}, by rule and version"
    chart = StackedChart(label, _versions(audits), parts, "version", "percent of rows", "%")
    return Trend(stacked_chart(chart), tuple((part.tone, part.name) for part in parts))


def quality_trend(audits: Sequence[AuditReport]) -> Trend | None:
    """Draw the mean quality of what landed, audit by audit."""
    values = [audit.quality for audit in audits]
    known = [value for value in values if value is not None]
    if not known:
        return None
    ticks = nice_ticks(min(0.99, *known), 1.0, 4)
    part = Part("mean quality", values, "good")
    label = "Mean quality score of the steps that landed, by version"
    return Trend(line_chart(LineChart(label, _versions(audits), [part], "version", "quality", ticks)), ())


def spreads(report: AuditReport) -> list[Spread]:
    """Draw the distributions, those furthest from the reference first."""
    found = []
    for name, held in report.distributions.items():
        edges, now, then = held["edges"], held["current"], held.get("reference")
        drawing = histogram(Histogram(f"Distribution of {name}", edges, now, then))
        found.append(Spread(name, drawing, None if then is None else distance(now, then)))
    return sorted(found, key=lambda one: -(one.apart or 0.0))  # which keeps the columns' order otherwise


def _versions(audits: Sequence[AuditReport]) -> list[str]:
    return [str(audit.version) for audit in audits]


def _finding(found: dict[str, Any]) -> dict[str, Any]:
    share = _percent(found["count"], found["total"]) if found["total"] else None
    examples = [_text(example) for example in found["examples"][:_EXAMPLES]]
    return {**found, "share": share, "examples": examples}


def _expectations(results: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what the table of expectations shows: those that are not met first."""
    rows = []
    for one in (results or {}).get("results", ()):
        config, result = one["expectation_config"], one["result"]
        kwargs = dict(config["kwargs"])
        about = [kwargs.pop(name) for name in _ABOUT if name in kwargs]
        found = result.get("observed_value", result.get("partial_unexpected_list") or "")
        rows.append(
            {
                "success": one["success"],
                "severity": config.get("severity", "critical"),
                "type": config["type"].removeprefix("expect_"),
                "about": ", ".join(held if isinstance(held, str) else _text(held) for held in about),
                "asked": _text(kwargs) if kwargs else "",
                "count": result.get("unexpected_count"),
                "percent": result.get("unexpected_percent"),
                "found": one["exception_info"].get("exception_message")
                or (_text(found) if found != "" else ""),
            }
        )
    return sorted(rows, key=lambda row: (row["success"], -(row["count"] or 0)))


def _unmet(results: Mapping[str, Any] | None) -> list[str]:
    """Name the critical expectations that are not met."""
    rows = _expectations(results)
    return [f"{row['type']} {row['about']}".strip() for row in rows if _fails(row)]


def _fails(row: Mapping[str, Any]) -> bool:
    return not row["success"] and row["severity"] == "critical"


def _episode(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return an episode with its steps as a table of texts."""
    rows = held.get("rows") or []
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = [["" if row.get(name) in (None, []) else _text(row[name]) for name in names] for row in rows]
    used = [place for place, _ in enumerate(names) if any(text[place] for text in texts)]
    return {
        **held,
        "names": [names[place] for place in used],
        "texts": [[text[place] for place in used] for text in texts],
    }


def _text(value: Any) -> str:
    """Write a value as JSON, the beginning of a long one, numbers short; texts as they are."""
    if isinstance(value, list) and value and all(isinstance(held, str) for held in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False, default=str)
    return text if len(text) <= _SIGNS else f"{text[:_SIGNS]}…"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {name: _rounded(held) for name, held in value.items()}
    return [_rounded(held) for held in value] if isinstance(value, list | tuple) else value


def _percent(count: int, total: int) -> float:
    return 100 * count / total if total else 0.0
