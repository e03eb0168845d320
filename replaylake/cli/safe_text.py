"""Text from outside, as a terminal may see it: no sign of it moves the cursor or hides another."""

from __future__ import annotations

_BYTES = 4000  # of raw bytes; more are counted


def safe_text(text: str) -> str:
    """Return the text with every sign that is not printable escaped; blanks other than spaces, too."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode()
        for sign in text
    )


def safe_bytes(content: bytes) -> str:
    """Return the first bytes as safe text, what is not UTF-8 escaped, and say how many more there are."""
    shown = safe_text(content[:_BYTES].decode("utf-8", "backslashreplace"))
    rest = len(content) - _BYTES
    return f"{shown}… and {rest:,} more bytes" if rest > 0 else shown
