"""Look for steps whose key is there twice: on one day, on several days, or hot and cold."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from lake.cold import COLD, StepsTables
from lake.maintenance.check_report import Problem
from lake.maintenance.surplus import FIRST_LANDED, Doubled, SurplusIndex
from lake.parquet import partition_values

_MEMORY = 256 << 20  # bytes, of the index of keys: what is more goes to the disk
_CODE = "duplicate_keys"
_LEAVE_OUT = "Leave those rows out by the condition of a snapshot, or erase the keys: both rows go then."


def doubled_keys(archive: str, steps: StepsTables, names: Sequence[str]) -> Iterator[Problem]:
    """Compare the keys of all rows in files; of one key the row that landed first is no problem.

    What is within a day of the hot table is told by day, for there it may be of many small files.
    """
    with tempfile.TemporaryDirectory(prefix="replaylake-check-") as folder:
        with SurplusIndex(steps, FIRST_LANDED, Path(folder), _MEMORY) as index:
            index.look(names)
            found = index.doubled()
    mend = f"Run: replaylake maintain compact {archive}"
    days: defaultdict[str, list[Doubled]] = defaultdict(list)
    strange: defaultdict[str, list[Doubled]] = defaultdict(list)
    for one in found:
        day = _day(steps, one.file)
        if day == _day(steps, one.first) and not one.file.startswith(COLD) and not one.first.startswith(COLD):
            days[day].append(one)
        else:
            strange[one.file].append(one)
    for day, held in sorted(days.items()):
        yield Problem(_CODE, "steps", "", _said(held, f" of {day}", "another row"), mend)
    for file, held in strange.items():
        first, others = held[0].first, f" and {len(held) - 1} more files" if len(held) > 1 else ""
        is_cold = any(name.startswith(COLD) for one in held for name in (one.file, one.first))
        yield Problem(
            _CODE,
            "cold" if file.startswith(COLD) else "steps",
            file.removeprefix(COLD),
            _said(held, "", f"a row of {first}{others}"),
            _LEAVE_OUT if is_cold else f"{mend} --all-days",
        )


def _day(steps: StepsTables, name: str) -> str:
    return partition_values(name, steps.partition_by)["date"] or ""


def _said(held: Sequence[Doubled], which: str, other: str) -> str:
    rows, conflicts = sum(one.rows for one in held), sum(one.conflicts for one in held)
    return f"{rows} rows{which} have a key that {other} has, {conflicts} of them with other content"
