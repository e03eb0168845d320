"""What the command says of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from replaylake.cli.console import pairs
from replaylake.cli.safe_text import safe_text

if TYPE_CHECKING:
    from rich.table import Table

    from lake import Snapshot


def snapshot_document(snapshot: Snapshot, names: Sequence[str]) -> dict[str, Any]:
    """Return a snapshot as JSON-ready values."""
    return {**snapshot.to_json(), "names": list(names)}


def snapshot_table(snapshot: Snapshot, names: Sequence[str]) -> Table:
    """Return a snapshot for people, a line for each thing."""
    choice = snapshot.choice
    return pairs(
        {
            "snapshot": snapshot.id,
            "names": ", ".join(names),
            "archive": snapshot.archive.name,
            "where": choice.where,
            "episodes": choice.episodes,
            "any step": choice.any_step,
            "all steps": choice.all_steps,
            "columns": ", ".join(choice.columns or ()),
            "part": choice.part and choice.part.text,
            "rows": f"{snapshot.rows:,}",
            "of episodes": f"{snapshot.episodes:,}",
            "created": f"{snapshot.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "table version": f"{snapshot.version:,}",
            "files": f"{len(snapshot.files):,} ({snapshot.bytes:,} bytes)",
            "pinned by": "\n".join(
                f"{pin.by}, since {pin.at:%Y-%m-%d}" + (f": {safe_text(pin.note)}" if pin.note else "")
                for pin in snapshot.pins
            ),
            "erased": erasure_text(snapshot),
        }
    )


def choice_text(snapshot: Snapshot) -> str:
    """Say in a line what was chosen, what may be cut off last; of a part what it is a part of."""
    choice = snapshot.choice
    marks = [f"{len(snapshot.pins):,} pins"] if len(snapshot.pins) > 1 else ["pinned"] * len(snapshot.pins)
    marks += ["rows were erased"] * bool(snapshot.erasures)
    parts = [f"({', '.join(marks)})"] if marks else []
    if choice.part is not None:
        return safe_text(" ".join([*parts, choice.part.text]))
    said = (choice.where, choice.episodes, choice.any_step, choice.all_steps)
    labels = ("", "episodes: ", "any step: ", "all steps: ")
    texts = [f"{label}{text}" for label, text in zip(labels, said, strict=True) if text is not None]
    return safe_text(" ".join([*parts, "; ".join(texts) or "everything"]))


def erasure_text(snapshot: Snapshot) -> str:
    """Say what was erased of a snapshot; nothing where it is as it was made."""
    said = [f"{erasure.rows:,} rows on {erasure.at:%Y-%m-%d} ({erasure.id})" for erasure in snapshot.erasures]
    return f"{', '.join(said)}: it is no more what it was when it was made" if said else ""
