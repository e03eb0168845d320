"""YAML as people mean it, with the line of each value: for errors that name it.

It is read by YAML 1.2's rules: `no` is a text, 12:30:00 is no number, 1e3 is one, a date is a text. A key
that stands twice is an error, and so is a line that a person was to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import NotFoundError, UsageError
from schemas.shown import shown

BLANK = "<fill in"  # how a value starts that a person is asked for
_MOST_BYTES = 1 << 20
_MOST_VALUES = 100_000  # also of what is repeated by an alias


class _Loader(yaml.SafeLoader):
    """Read the core schema of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    for _sign in (*_first, *([""] if _tag == "null" else [])):
        _Loader.yaml_implicit_resolvers.setdefault(_sign, []).append(
            (f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"))
        )


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


@dataclass(frozen=True, slots=True, eq=False)
class MarkedYaml:
    """Hold a document, and where its values stand."""

    origin: str  # the file, for people
    content: Any
    _node: yaml.Node | None = None

    @classmethod
    def load(cls, path: Path, what: str) -> MarkedYaml:
        """Read a file; raise UsageError with the line that does not read, or that is to be filled in.

        `what` says what the file is, for people.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError as exc:
            raise NotFoundError(what, str(path)) from exc
        except OSError as exc:
            raise UsageError(f"The {what} {str(path)!r} cannot be read: {exc.strerror}.") from exc
        if len(data) > _MOST_BYTES:
            raise UsageError(f"The {what} {str(path)!r} has {len(data):,} bytes.", hint="1 MiB are allowed.")
        origin = f"The {what} {str(path)!r}"
        try:
            return cls._parse(data.decode("utf-8-sig"), origin)
        except (yaml.YAMLError, ValueError, RecursionError) as exc:
            mark = getattr(exc, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            problem = getattr(exc, "problem", None) or "it does not read"
            raise UsageError(f"{origin}{line} is not YAML: {problem}.", hint="Mend it there.") from exc

    @classmethod
    def _parse(cls, text: str, origin: str) -> MarkedYaml:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            for number, inner in enumerate(_nodes(node)):
                if number > _MOST_VALUES:
                    raise UsageError(f"{origin} has more than {_MOST_VALUES:,} values.", hint="Repeat less.")
                _check(inner, origin)
            return cls(origin, None if node is None else loader.construct_document(node), node)
        finally:
            loader.dispose()

    def line_of(self, place: Sequence[Hashable]) -> int | None:
        """Return the line of a value, counted from 1, or of the nearest one around it."""
        node = self._node
        line = None if node is None else node.start_mark.line + 1
        for part in place:
            found = _inside(node, part)
            if found is None:
                break
            line, node = found
        return line


def _nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    waiting = [] if node is None else [node]
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, yaml.MappingNode):
            waiting.extend(part for pair in reversed(current.value) for part in reversed(pair))
        elif isinstance(current, yaml.SequenceNode):
            waiting.extend(reversed(current.value))


def _check(node: yaml.Node, origin: str) -> None:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and node.value.startswith(BLANK):
        asked = node.value.removeprefix(BLANK).strip(" :>")
        raise UsageError(
            f"{origin}, line {line} is to be filled in: {asked}.", hint="Write it there, and go on."
        )
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, _ in node.value:
            if key.value in keys and isinstance(key, yaml.ScalarNode):
                twice = key.start_mark.line + 1
                raise UsageError(
                    f"{origin}, line {twice}: the key {shown(key.value)} stands twice.", hint="Leave one out."
                )
            if isinstance(key, yaml.ScalarNode):
                keys.add(key.value)


def _inside(node: yaml.Node | None, part: Hashable) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found.start_mark.line + 1, found
    return None
