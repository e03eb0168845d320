"""Validate: a suite over an archive's steps or over a file, and a suite proposed for an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.json
import pyarrow.parquet as pq

from lake import Archive, Lake, choose_rows, read_steps, sample_snapshot, sample_steps
from replaylake.flows.amounts import PROBED, check_comparable, rows_at_once
from schemas.errors import NotFoundError, StepsError, UsageError
from validation import Suite
from validation.experience import steps_of
from validation.profiling import profile_steps, propose_suite

if TYPE_CHECKING:
    from validation import SuiteResult

_NULLS = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Hold what is to be judged: an archive's steps, or the rows of a file."""

    name: str
    rows: pa.Table
    archive: Archive | None = None

    @property
    def suite(self) -> Suite:
        """The archive's own suite; raise UsageError where there is none."""
        if self.archive is None:
            raise UsageError(
                f"No suite was given for the file {self.name!r}.", hint="Give --suite SUITE.json."
            )
        own = self.archive.suite
        if own is None:
            raise UsageError(
                f"The archive {self.name!r} has no suite.",
                hint=f"Give --suite SUITE.json, or propose one: replaylake validate init {self.name} --apply",
            )
        return Suite.from_dict(own)

    def judge(self, suite: Suite, result_format: str = "COMPLETE") -> SuiteResult:
        """Judge the rows, with the archive's spec where it is one."""
        return suite.validate(
            self.rows, result_format, spec=None if self.archive is None else self.archive.spec
        )


def read_subject(lake: Lake, target: str, where: str | None = None, of: str | None = None) -> Subject:
    """Read an archive by its name, or a file: Parquet, CSV, NDJSON or Arrow, told by its ending.

    A name that both have is the archive's; `./NAME` is the file. `of` is an archive whose steps the file
    holds. Raise NotFoundError where there is no such thing, UsageError for a file that does not read or
    does not hold such steps, and QueryError for a condition that is none.
    """
    path = Path(target)
    is_name = path.name == target and not path.suffix
    if is_name and of is not None and target in lake.names():
        raise UsageError(f"{target!r} is an archive, whose steps are its own.", hint="Leave --archive out.")
    if is_name and (target in lake.names() or not path.is_file()):
        archive = lake.archive(target)
        return Subject(target, read_steps(archive, where), archive)
    owner = None if of is None else lake.archive(of)
    rows = _read_file(path)
    if owner is not None:
        rows = _steps_of(owner, rows, path)
    return Subject(path.stem, rows if where is None else choose_rows(rows, where), owner)


def propose(lake: Lake, archive: Archive, snapshot_id: str | None = None) -> Suite:
    """Propose a suite for an archive from its steps, or from those of a snapshot of the same spaces.

    Raise UsageError where there is no step to look at.
    """
    if snapshot_id is None:
        steps = sample_steps(archive, rows_at_once(sample_steps(archive, PROBED)))
    else:
        snapshot = lake.snapshot(snapshot_id)
        check_comparable(snapshot, archive)
        steps = sample_snapshot(snapshot, rows_at_once(sample_snapshot(snapshot, PROBED)))
    if not steps.num_rows:
        raise UsageError(
            f"The archive {archive.name!r} has no steps to look at.", hint="Ingest some first, good ones."
        )
    return propose_suite(archive.spec, profile_steps(steps, archive.spec))


def _steps_of(archive: Archive, rows: pa.Table, path: Path) -> pa.Table:
    try:
        return steps_of(rows, archive.spec)
    except StepsError as exc:
        raise UsageError(
            f"The rows of {str(path)!r} are no steps of {archive.name!r}: {exc.message}", hint=exc.hint
        ) from exc


def _read_file(path: Path) -> pa.Table:
    if not path.is_file():
        raise NotFoundError("file", str(path), hint="Name an archive, or a file that is there.")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"The file {str(path)!r} is of no kind that is read.", hint=f"There are: {', '.join(_READERS)}."
        )
    try:
        table: pa.Table = reader(str(path))
    except (pa.ArrowException, OSError) as exc:
        said = str(exc).partition("\n")[0].rstrip(".")
        raise UsageError(
            f"The file {str(path)!r} does not read: {said}.", hint="Is its ending right?"
        ) from exc
    return table


def _read_parquet(path: str) -> Any:
    return pq.read_table(path, partitioning=None)


def _read_csv(path: str) -> Any:
    return pyarrow.csv.read_csv(path, convert_options=_NULLS)


def _read_arrow(path: str) -> Any:
    """Read the file format, or the stream format, which begins otherwise."""
    try:
        return pyarrow.feather.read_table(path)
    except pa.ArrowInvalid:
        with pa.ipc.open_stream(path) as stream:
            return stream.read_all()


_READERS: dict[str, Callable[[str], Any]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".ndjson": pyarrow.json.read_json,
    ".jsonl": pyarrow.json.read_json,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
}
