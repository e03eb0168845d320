"""Pages that stand alone: one file, nothing to fetch, readable on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def render_page(template: str, content: Mapping[str, Any]) -> str:
    """Fill a template that extends `base.html.j2`; all text is escaped, and drawings go in as they are.

    The base has the blocks `title` and `body`, and the macros of `parts.html.j2` draw what many pages have.
    A name that the content lacks is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("replaylake.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(template).render(content)
