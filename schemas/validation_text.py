"""Say in one line what pydantic found wrong, with the place and the value."""

from __future__ import annotations

from pydantic import ValidationError

from schemas.shown import shown


def first_problem(exc: ValidationError) -> str:
    """Describe the first problem: where it is, what is wrong, and the value that was given."""
    problem = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    said = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if problem["type"] == "value_error" and not place:  # ours names the part; the value would be all of it
        return said
    if problem["type"] == "missing":
        return f"{place} is missing"
    return f"{place or 'it'}: {said} (given: {shown(problem['input'])})"
