"""The table of algorithms, and configs made from what a caller wrote."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from schemas.errors import NotFoundError, UsageError
from schemas.validation_text import first_problem
from training.algorithms.base import Algorithm, AlgorithmConfig
from training.algorithms.bc import BC
from training.algorithms.cql import CQL, DQN

_TABLE: dict[str, Algorithm[Any, Any]] = {algorithm.name: algorithm for algorithm in (BC, CQL, DQN)}


def algorithms() -> tuple[Algorithm[Any, Any], ...]:
    """Return every algorithm, by name."""
    return tuple(_TABLE[name] for name in sorted(_TABLE))


def find_algorithm(name: str) -> Algorithm[Any, Any]:
    """Return the algorithm of that name; raise NotFoundError, which lists the names there are."""
    try:
        return _TABLE[name]
    except KeyError:
        raise NotFoundError("algorithm", name, known=_TABLE) from None


def make_config(algorithm: Algorithm[Any, Any], settings: Mapping[str, object]) -> AlgorithmConfig:
    """Return the algorithm's config; raise UsageError for a key or a value that it cannot have."""
    known = algorithm.config.model_fields
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"The algorithm {algorithm.name!r} has no setting {key!r} (given: {value!r}).",
                hint=f"{meant}Its settings are: {', '.join(sorted(known))}.",
            )
    try:
        config: AlgorithmConfig = algorithm.config.model_validate({**algorithm.defaults, **settings})
    except ValidationError as exc:
        raise UsageError(
            f"A setting of the algorithm {algorithm.name!r} is not possible: {first_problem(exc)}.",
            hint="Correct the value, or leave it out to have the default.",
        ) from exc
    return config
