"""Specs and suites as people give them to `replaylake archive create`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas.archive_spec import ArchiveSpec, check_name
from schemas.environments import spec_from_environment
from schemas.errors import NotFoundError, SpecError, UsageError
from schemas.marked_yaml import BLANK, MarkedYaml
from validation import Gate, Suite


def find_spec(name: str, env: str | None, file: Path | None) -> ArchiveSpec:
    """Return the spec of an environment or of a file, one of which is given."""
    check_name(name)
    if env is not None and file is None:
        return spec_from_environment(name, env)
    if file is not None and env is None:
        return read_spec(name, file)
    given = "both were given" if env is not None else "neither was given"
    raise UsageError(
        f"An archive is created by --env or by --spec, and {given}.",
        hint=f"Such as: replaylake archive create {name} --env CartPole-v1",
    )


def checked_suite(spec: ArchiveSpec, file: Path) -> dict[str, Any]:
    """Return the suite of a file, compiled once against the spec; raise SuiteError where it does not fit."""
    suite = Suite.load(file)
    Gate(spec, suite)
    return suite.to_dict()


def read_spec(name: str, file: Path) -> ArchiveSpec:
    """Return the spec of a file, for an archive of that name."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if BLANK in text:  # a proposal that a person has not filled in yet: the error names the line
            MarkedYaml.load(file, "spec")
        content = yaml.safe_load(text)
    except FileNotFoundError as exc:
        raise NotFoundError("spec", str(file), hint="Name a file of YAML or JSON.") from exc
    except OSError as exc:
        raise SpecError(
            f"The spec {str(file)!r} cannot be read: {exc.strerror}.", hint="Name a file of YAML or JSON."
        ) from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise SpecError(f"The spec {str(file)!r} is not YAML{place}.", hint="Mend it there.") from exc
    if not isinstance(content, dict):
        held = "is empty" if content is None else f"holds a {type(content).__name__}, not a mapping"
        raise SpecError(
            f"The spec {str(file)!r} {held}.",
            hint="Write one `name: value` a line; see `replaylake archive create --help`.",
        )
    return ArchiveSpec.from_json({"name": name, **content})
