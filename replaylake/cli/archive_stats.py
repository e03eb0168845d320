"""`replaylake archive stats`: what an archive holds, in numbers, by time range."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from replaylake.cli.run import Run

_DAYS = ["%Y-%m-%d"]


def stats(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive.")],
    since: Annotated[
        datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="Steps from this day on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="Steps to this day, included.")
    ] = None,
    by: Annotated[
        Literal["day", "week", "month"] | None,
        typer.Option(help="How long the periods are; else as the range asks."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="P", help="Only steps that this version of a policy chose.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="S", help="Only steps of this source.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots that stands alone.")
    ] = None,
) -> None:
    """Show statistics of an archive: episodes, returns, actions, observations, coverage, bytes, policies.

    What is found of each day is kept in the lake, so only days that changed are read again. An episode
    counts on the day of its first step, with all its steps.
    """
    from replaylake.cli.archive_stats_tables import statistics_shown
    from replaylake.cli.progress import progress
    from replaylake.cli.whole_files import whole_file

    archive = run.lake.archive(name)
    with progress("Looking at the steps", 1.0) as report:
        found = archive.statistics(
            since.date() if since else None,
            until.date() if until else None,
            by=by,
            policy=policy,
            source=source,
            report=lambda done, total: report(done / total, ""),
        )
    document = found.to_dict()
    if html is None:
        run.answer(document, *statistics_shown(found))
        if found.rows:
            run.suggest("archive", "stats", name, "--html", f"{name}.html")
        return
    from replaylake.flows.statistics_page import statistics_page

    page = statistics_page(found)
    with whole_file(html) as file:
        file.write(page.encode("utf-8", "replace"))
    document["html"] = str(html)
    run.answer(document, f"The statistics of {name} are in {html}.")
