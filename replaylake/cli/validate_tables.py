"""What suites and audits found, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from replaylake.cli.console import table
from replaylake.cli.json_text import json_text, plain
from replaylake.cli.safe_text import safe_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from validation import Suite
    from validation.audits.finding import Finding
    from validation.audits.report import AuditReport

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}
_VALUES = 3  # of a failed expectation, and of a finding
_CELL = 60  # characters of a value
_LISTED = 40  # codes
_WHOLE = 1e6  # a float below is shown without its point where it is whole


def results_table(document: Mapping[str, Any]) -> Table:
    """Return the results of a suite, as `SuiteResult.to_dict` tells them, an expectation a line."""
    from rich.text import Text

    made = table(
        "", "expectation", "about", "severity", "unexpected", "%", "found", numbers=("unexpected", "%")
    )
    for one in document["results"]:
        config, result = one["expectation_config"], one["result"]
        made.add_row(
            _verdict(one, config["severity"]),
            _rule(config["type"]),
            Text(safe_text(_about(config["kwargs"]))),
            config["severity"],
            _share(result),
            _percent(result.get("unexpected_percent")),
            Text(safe_text(_found(one))),
        )
    return made


def summary_of(document: Mapping[str, Any], rows: int) -> str:
    """Say how many expectations were met."""
    counted = document["statistics"]
    met, total = counted["successful_expectations"], counted["evaluated_expectations"]
    return f"{met:,} of {total:,} expectations of {document['suite_name']} are met by {rows:,} rows."


def proposal_table(suite: Suite) -> Table:
    """Return the rules of a proposed suite, with the evidence of each."""
    from rich.text import Text

    made = table("expectation", "about", "severity", "evidence")
    for rule in suite.expectations:
        evidence = str(rule.other.get("meta", {}).get("evidence", ""))
        made.add_row(
            _rule(rule.type),
            Text(safe_text(_about(rule.kwargs))),
            Text(rule.severity, style=_STYLES[rule.severity]),
            Text(safe_text(evidence)),
        )
    return made


def audit_shown(report: AuditReport) -> list[RenderableType]:
    """Return what to print of an audit: what was looked at, and the findings, worst first."""
    from rich.text import Text

    shown: list[RenderableType] = [Text(line) for line in _looked_at(report)]
    for finding in report.findings:
        shown += ["", *_finding(finding)]
    if not report.findings:
        shown += ["", Text("Nothing was found.")]
    return shown


def _looked_at(report: AuditReport) -> list[str]:
    since = "in all" if report.since < 0 else f"since version {report.since}"
    lines = [
        f"{report.archive}, version {report.version}: {report.rows:,} steps of {report.episodes:,} episodes "
        f"({report.complete_episodes:,} complete) {since}; {report.quarantined:,} rows were refused."
    ]
    if report.looked_at < report.rows:
        lines.append(f"Statistics are of {report.looked_at:,} steps, of whole episodes.")
    if report.reference is not None:
        lines.append(f"Compared with {report.reference}.")
    for what, counts in (("Refused", report.rejects), ("Flagged", report.flags)):
        if counts:
            listed = ", ".join(
                f"{safe_text(code)} {count:,}" for code, count in list(counts.items())[:_LISTED]
            )
            lines.append(f"{what}: {listed}.")
    return lines


def _finding(finding: Finding) -> list[Text]:
    from rich.text import Text

    about = f" {safe_text(finding.column)}:" if finding.column else ""
    head = Text.assemble(
        (finding.severity, _STYLES[finding.severity]),
        f" {finding.audit}/{finding.check}{about} {safe_text(finding.message)}",
    )
    examples = [
        Text(f"  {safe_text(_example(example))}", style="dim") for example in finding.examples[:_VALUES]
    ]
    return [head, *examples]


def _example(example: Mapping[str, Any]) -> str:
    held = {name: value for name, value in example.items() if value is not None}
    return ", ".join(f"{name} {_short(value)}" for name, value in held.items())


def _rule(type_: str) -> Text:
    from rich.text import Text

    return Text(safe_text(type_.removeprefix("expect_")))


def _verdict(one: Mapping[str, Any], severity: str) -> Text:
    from rich.text import Text

    if one["success"]:
        return Text("met", style="green")
    wrong = "error" if one["exception_info"]["raised_exception"] else "not met"
    return Text(wrong, style=_STYLES[severity])


def _about(kwargs: Mapping[str, Any]) -> str:
    """Name the column or columns first, and then what is asked of them."""
    columns = [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
    columns += kwargs.get("column_list") or kwargs.get("column_set") or ()
    named = {"column", "column_A", "column_B", "column_list", "column_set"}
    asked = [f"{name}={_short(value)}" for name, value in kwargs.items() if name not in named]
    return " ".join([", ".join(map(str, columns)), *asked]).strip()


def _share(result: Mapping[str, Any]) -> str:
    if "unexpected_count" not in result:
        return ""
    return f"{result['unexpected_count']:,} of {result['element_count']:,}"


def _percent(percent: float | None) -> str:
    return "" if not percent else f"{percent:.3g}"


def _found(one: Mapping[str, Any]) -> str:
    if one["exception_info"]["raised_exception"]:
        said = str(one["exception_info"]["exception_message"])
        return said.partition("): ")[2] or said  # without the suite and the rule, which the line names
    result = one["result"]
    if "observed_value" in result:
        return _short(result["observed_value"])
    values: Sequence[Any] = result.get("partial_unexpected_list") or ()
    return ", ".join(map(_short, values[:_VALUES])) + (", …" if len(values) > _VALUES else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json_text(_rounded(plain(value)), indent=None)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _rounded(value: Any) -> Any:
    """Leave the digits that tell numbers apart at a glance."""
    if isinstance(value, float):
        rounded = float(f"{value:.5g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < _WHOLE else rounded
    if isinstance(value, Mapping):
        return {name: _rounded(held) for name, held in value.items()}
    return [_rounded(held) for held in value] if isinstance(value, list) else value
