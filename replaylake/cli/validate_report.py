"""`replaylake validate report`: what audits found, as a page, or in short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replaylake.cli.console import table
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb

if TYPE_CHECKING:
    from rich.table import Table

    from replaylake.flows.validation_report import ValidationReport

_AUDITS = 10  # that are listed, the last ones


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        report,
        example="""
            replaylake validate report cartpole
            replaylake validate report cartpole --output cartpole.html
        """,
    )


def report(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="Write the report as a page that stands alone."
        ),
    ] = None,
) -> None:
    """Show what the audits of an archive found: the last one, and how it went from audit to audit.

    The page has the trend of what was refused and flagged by rule, the findings, the expectations, the
    distributions beside the reference, the worst episodes with their steps, and which suite judged when.
    """
    from replaylake.cli.validate_tables import audit_shown
    from replaylake.cli.whole_files import whole_file
    from replaylake.flows.validation_report import validation_report

    found = validation_report(run.lake, name)
    document = found.to_dict()
    if output is not None:
        from replaylake.flows.validation_page import validation_page

        page = validation_page(found)
        with whole_file(output) as file:
            file.write(page.encode("utf-8", "replace"))
        document["output"] = str(output)
        run.answer(document, f"The report of {name} is in {output}.")
        return
    run.answer(document, *audit_shown(found.latest), "", _trend(found))
    run.suggest("validate", "report", name, "--output", f"{name}.html")


def _trend(found: ValidationReport) -> Table:
    from replaylake.flows.validation_report import count_severities

    shown = table(
        "version", "audited", "steps", "refused", "quality", "critical", "warnings",
        numbers=("version", "steps", "refused", "quality", "critical", "warnings"),
    )  # fmt: skip
    for audit in found.history[-_AUDITS:]:
        severities = count_severities(audit)
        shown.add_row(
            str(audit.version),
            audit.made_at.strftime("%Y-%m-%d %H:%M"),
            f"{audit.rows:,}",
            f"{audit.quarantined:,}",
            "" if audit.quality is None else f"{audit.quality:.4f}",
            f"{severities['critical']:,}",
            f"{severities['warning']:,}",
        )
    return shown
