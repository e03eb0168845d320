"""RecordMapping: the door. Which fields of a record become which columns, read from YAML."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ingest.mapping.application import Application, Plan
from ingest.mapping.binding import bind
from ingest.mapping.computed import ExpressionReader
from ingest.mapping.forms import TAG, Form
from ingest.mapping.made import Maker
from ingest.mapping.targets import Target, named_target, targets_of
from ingest.records import Mapped, Records
from ingest.sources.options import SourceOptions
from ingest.timeline.spec import TimelineSpec
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.expressions import Expression
from schemas.marked_yaml import MarkedYaml
from schemas.shown import shown
from schemas.step import PROPENSITY_ALIAS, RESERVED_COLUMNS, WIRE_COLUMNS

_HINT = "See docs/mapping.md for what may stand there."


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceOptions | None = None
    where: str | None = None
    columns: Annotated[dict[str, Form], Field(min_length=1)]
    timeline: TimelineSpec | None = None

    @field_validator("where")
    @classmethod
    def _is_an_expression(cls, text: str | None) -> str | None:
        try:
            if text is not None:
                Expression.parse(text)
        except UsageError as exc:
            raise ValueError(str(exc)) from exc
        return text

    @model_validator(mode="after")
    def _has_what_the_timeline_reads(self) -> _Content:
        if self.timeline is not None:
            lacking = sorted(self.timeline.columns - set(self.columns) - {"event_id"})
            if lacking:
                raise ValueError(
                    f"the timeline reads {', '.join(lacking)}, which no column of the mapping makes"
                )
        if "action_log_prob" in self.columns and PROPENSITY_ALIAS in self.columns:
            raise ValueError(f"action_log_prob and {PROPENSITY_ALIAS} are both given, and one says all")
        return self


@dataclass(frozen=True, eq=False)
class RecordMapping:
    """Say which fields of outside records become which columns of an archive.

    What a record becomes depends on that record alone: not on its batch, its place or the clock.
    """

    content: _Content
    document: MarkedYaml

    @classmethod
    def load(cls, path: str | Path) -> RecordMapping:
        """Read a mapping from YAML or JSON; raise UsageError naming the file, the line and the mend.

        A file in it, such as an Avro schema, is sought beside it.
        """
        path = Path(path)
        mapping = cls._read(MarkedYaml.load(path, "mapping"))
        source = mapping.content.source
        if source is None:
            return mapping
        moved = mapping.content.model_copy(update={"source": source.relative_to(path.parent)})
        return cls(moved, mapping.document)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, origin: str = "The mapping") -> RecordMapping:
        """Read a mapping from JSON or YAML values; raise UsageError with what is wrong, and the mend."""
        return cls._read(MarkedYaml(origin, mapping))

    @classmethod
    def _read(cls, document: MarkedYaml) -> RecordMapping:
        if document.content is None:
            raise UsageError(f"{document.origin} is empty.", hint="Start with `columns:`.")
        if not isinstance(document.content, Mapping):
            kind = type(document.content).__name__
            raise UsageError(
                f"{document.origin} holds a {kind}, not a mapping.", hint="Start with `columns:`."
            )
        try:
            return cls(_Content.model_validate(document.content), document)
        except ValidationError as exc:
            problem = exc.errors(include_url=False)[0]
            place = [part for part in problem["loc"] if not str(part).startswith(TAG)]
            raise _error(document, place, _said(problem), _HINT) from exc

    @property
    def source(self) -> SourceOptions | None:
        """How the records are read, where the mapping says it."""
        return self.content.source

    @property
    def timeline(self) -> TimelineSpec | None:
        """How events become steps, where the records are events."""
        return self.content.timeline

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it makes, in their order."""
        return tuple(self.content.columns)

    @property
    def hash(self) -> str:
        """Identify the mapping: equal hashes make the same of the same records."""
        canonical = json.dumps(self.content.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields and JSONPaths that it reads, sorted."""
        found = set(Expression.parse(self.content.where).fields) if self.content.where else set()
        for form in self.content.columns.values():
            found |= _read_fields(form)
        return tuple(sorted(found))

    def check(self, spec: ArchiveSpec) -> None:
        """Raise UsageError where the mapping cannot make steps of the archive, before a record was read."""
        self.plan(spec)

    def plan(self, spec: ArchiveSpec) -> Plan:
        """Return what makes each column of the archive; raise UsageError where a column cannot be made."""
        targets = targets_of(spec)
        if self.timeline is None:
            self._check_required(spec)
        makers: dict[str, Maker] = {}
        for name, form in self.content.columns.items():
            try:
                makers[name] = bind(form, self._target(name, form, targets, spec))
            except UsageError as exc:
                raise _error(self.document, ("columns", name), exc.message, exc.hint) from exc
        where = None if self.content.where is None else ExpressionReader(self.content.where)
        return Plan(makers, where, has_timeline=self.timeline is not None)

    def apply(self, records: Records, spec: ArchiveSpec) -> Mapped:
        """Map records to rows; a record that cannot be is refused with its reason, and takes none with it.

        What `where` leaves out is neither a row nor refused; what the source itself refused is not repeated.
        Raise UsageError where the mapping fits no record: a column that a table does not have, or an
        expression that cannot work with its types.
        """
        return self.application(spec).apply(records)

    def application(self, spec: ArchiveSpec) -> Application:
        """Return the mapping made ready for one archive: for many batches it is planned once."""
        return Application(self.plan(spec), self.document)

    def _check_required(self, spec: ArchiveSpec) -> None:
        for column in WIRE_COLUMNS:
            if column.required and column.default is None and column.name not in self.content.columns:
                said = f"no column {column.name!r}, which every step of {spec.name!r} needs"
                raise _error(self.document, ("columns",), said, "Name the field, or give {const: ...}.")

    def _target(
        self, name: str, form: Any, targets: Mapping[str, Target | None], spec: ArchiveSpec
    ) -> Target:
        type_ = getattr(form, "type", None)
        if name in targets:
            target = targets[name]
            if target is None:
                raise UsageError("actions of this archive have no mask.", hint="Leave the column out.")
            if type_ is not None and named_target(type_) != target:
                raise UsageError(f"its type is the archive's, not {type_}.", hint="Leave `type` out.")
            return target
        near = difflib.get_close_matches(name, targets, n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        if self.timeline is None:
            hint = f"{meant}Declare it under `extras` in the archive's spec, or leave it out."
            raise UsageError(f"the archive {spec.name!r} has no such column.", hint=hint)
        if name in RESERVED_COLUMNS or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError("a column cannot be called so.", hint="Use letters, digits and _.")
        if type_ is None:
            raise UsageError(
                "its type is not known.", hint=f"{meant}Say it, such as {{field: {name}, type: string}}."
            )
        return named_target(type_)


def _read_fields(form: Any) -> set[str]:
    """Gather the fields that a form, and those in it, read."""
    found: set[str] = set()
    for key, value in form if isinstance(form, BaseModel) else ():
        if key in ("field", "one_hot", "hash", "list", "map") and isinstance(value, str):
            found.add(value)
        elif key == "expr":
            found |= set(Expression.parse(value).fields)
        elif key in ("vector", "struct", "fields"):
            inner = value.values() if isinstance(value, Mapping) else value
            found |= {field for part in inner for field in _read_fields(part)}
    return found


def _said(problem: Any) -> str:
    said = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    if problem["type"] == "missing":
        return "it is missing"
    if problem["type"] == "extra_forbidden":
        return "there is no such setting here"
    return said if problem["type"] == "value_error" else f"{said} (given: {shown(problem['input'])})"


def _error(document: MarkedYaml, place: Sequence[Hashable], problem: str, hint: str) -> UsageError:
    """Return an error that names the file, the column and its line."""
    line = document.line_of(place)
    at = f" (line {line})" if line else ""
    where = ".".join(str(part) for part in place)
    if len(place) > 1 and place[0] == "columns":
        inner = f", {'.'.join(map(str, place[2:]))}" if len(place) > 2 else ""
        where = f"column {str(place[1])!r}{inner}"
    where = f", {where}" if where else ""
    return UsageError(f"{document.origin}{where}{at}: {problem.rstrip('.')}.", hint=hint)
