"""What is proposed, as text: YAML that says beside each line what speaks for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from replaylake.flows.inferring.draft import Evidence

# Texts that every reader of YAML takes for texts, with no quotes.
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$]*")
_WORDS = frozenset("yes no on off true false null nan inf".split())


def mapping_text(
    path: str, mapping: Mapping[str, Any], evidence: Iterable[Evidence], notes: Iterable[str]
) -> str:
    """Write a mapping, each column below what speaks for it."""
    why = _by_column(evidence)
    lines = [f"# Proposed by `replaylake archive infer` from {_remark(path)}.", ""]
    lines += [f"# Note: {_remark(note)}" for note in notes]
    if mapping.get("source"):
        lines += _section("source", mapping["source"])
    lines.append("columns:")
    for name, form in mapping["columns"].items():
        lines += [f"  # {line}" for line in why.get(name, ())]
        lines.append(f"  {scalar(name)}: {flow(form)}")
    if mapping.get("timeline"):
        lines.append("timeline:")
        for name, value in mapping["timeline"].items():
            lines += [f"  # {line}" for line in why.get(f"timeline.{name}", ())]
            lines.append(f"  {name}: {flow(value)}")
    return "\n".join(lines) + "\n"


def spec_text(path: str, spec: Mapping[str, Any], evidence: Iterable[Evidence]) -> str:
    """Write a spec for `replaylake archive create --spec`."""
    why = _by_column(evidence)
    lines = [f"# Proposed by `replaylake archive infer` from {_remark(path)}."]
    for name, space in spec.items():
        lines += [f"# {line}" for line in why.get(name, ())]
        lines.append(f"{name}: {flow(space)}")
    return "\n".join(lines) + "\n"


def _section(name: str, content: Mapping[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {flow(value)}" for key, value in content.items())]


def _by_column(evidence: Iterable[Evidence]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in evidence:
        found.setdefault(one.column, []).append(_remark(one.line()))
    return found


def flow(value: Any) -> str:
    """Write a value in one line, so that YAML 1.1 and 1.2 both read it as it was."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Write one plain value."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        if plain:
            return value
        single = '"' in value and "'" not in value and value.isprintable()
        return f"'{value}'" if single else _quoted(value)
    if isinstance(value, float):
        mantissa, mark, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa or not mark else '.0'}{mark}{_signed(exponent)}"
    return json.dumps(value)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    """Escape a character as YAML does, which knows no pairs of surrogates."""
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _remark(text: str) -> str:
    """Write a text so that it may stand in a comment."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))


def _signed(exponent: str) -> str:
    return exponent if not exponent or exponent[0] in "+-" else f"+{exponent}"
