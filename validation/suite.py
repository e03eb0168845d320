"""Suites: rules in Great Expectations' own format, read and written without loss."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, SuiteError
from validation.checks import Checks, check_table
from validation.expectation import SHAPE, Expectation, plain
from validation.results import SuiteResult

_OLD_KEYS = {"expectation_suite_name": "name", "expectation_type": "type"}  # before Great Expectations 1.0


@dataclass(frozen=True)
class Suite:
    """Hold rules under a name. That they fit an archive is said when a gate compiles them, not here."""

    name: str
    expectations: tuple[Expectation, ...] = ()
    other: Mapping[str, Any] = field(default_factory=dict)  # the remaining keys: id, meta, notes
    _compiled: dict[Any, Checks] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise SuiteError(f"The suite's name {self.name!r} is not a text.", hint=SHAPE)

    @classmethod
    def load(cls, path: str | Path) -> Suite:
        """Read a suite from a JSON file, or from YAML where the name ends in .yaml or .yml.

        Raise NotFoundError where there is no file, SuiteError where it holds no suite.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as exc:
            raise NotFoundError("suite", str(path)) from exc
        except (OSError, UnicodeDecodeError) as exc:
            raise SuiteError(f"The suite {str(path)!r} cannot be read: {exc}.") from exc
        return cls.from_dict(_parse(text, path), origin=str(path))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, origin: str = "") -> Suite:
        """Read a suite from JSON values; raise SuiteError naming the rule that is none, and the mend.

        `origin` stands for the suite in errors until its name is known.
        """
        where = f"The suite {origin!r}" if origin else "The suite"
        if not isinstance(mapping, Mapping):
            raise SuiteError(f"{where} is a {type(mapping).__name__}, not a mapping.", hint=SHAPE)
        if "name" not in mapping:
            raise SuiteError(f"{where} has no name.", hint=_old_form(mapping) or SHAPE)
        entries = mapping.get("expectations", [])
        where = f"Suite {mapping['name']!r}"
        if not isinstance(entries, list | tuple):
            raise SuiteError(f"{where}: expectations is a {type(entries).__name__}, not a list.", hint=SHAPE)
        rules = (
            _expectation(entry, f"{where}, rule {number}") for number, entry in enumerate(entries, start=1)
        )
        other = {key: value for key, value in mapping.items() if key not in ("name", "expectations")}
        return cls(mapping["name"], tuple(rules), plain(other, where))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` makes the same suite; the caller owns them."""
        rules = [expectation.to_dict() for expectation in self.expectations]
        return {"name": self.name, "expectations": rules, **plain(self.other, self.name)}

    def validate(
        self,
        table: Any,
        result_format: str | Mapping[str, Any] = "COMPLETE",
        *,
        spec: ArchiveSpec | None = None,
    ) -> SuiteResult:
        """Judge a table of Arrow, Polars or pandas, and say what Great Expectations would say of it.

        Rules about spaces and propensities need the `spec` of the archive that the rows are of. What does not
        fit the table's columns is a result with `exception_info`; what could not be for any table, such as
        an unknown expectation, is a SuiteError.
        """
        return check_table(self, table, result_format, spec, self._compiled)

    @property
    def hash(self) -> str:
        """Identify what judges: suites of one hash judge alike.

        The types, kwargs and severities count, in their order; names, ids, notes and meta do not, nor whether
        a whole number is written as 1 or 1.0.
        """
        judging = [[rule.type, _canonical(rule.kwargs), rule.severity] for rule in self.expectations]
        text = json.dumps(judging, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parse(text: str, path: Path) -> Any:
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    try:
        return yaml.safe_load(text) if is_yaml else json.loads(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise SuiteError(f"The suite {str(path)!r} is not YAML{place}.", hint=SHAPE) from exc
    except (json.JSONDecodeError, RecursionError) as exc:
        raise SuiteError(
            f"The suite {str(path)!r} is not JSON: {exc}.", hint="Name it .yaml where it is YAML."
        ) from exc


def _expectation(entry: object, where: str) -> Expectation:
    if not isinstance(entry, Mapping):
        raise SuiteError(f"{where} is a {type(entry).__name__}, not a mapping.", hint=SHAPE)
    if "type" not in entry:
        raise SuiteError(f"{where} has no type.", hint=_old_form(entry) or SHAPE)
    given = plain(entry, where)
    judging = {name: given.pop(name) for name in ("type", "kwargs", "severity") if name in given}
    try:
        return Expectation(**judging, other=given)
    except SuiteError as exc:
        raise SuiteError(f"{where}: {exc.message}", hint=exc.hint) from exc


def _old_form(mapping: Mapping[str, Any]) -> str:
    renames = [f"{old} to {new}" for old, new in _OLD_KEYS.items() if old in mapping]
    return f"This is the form before Great Expectations 1.0: rename {renames[0]}." if renames else ""


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _canonical(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_canonical(held) for held in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
