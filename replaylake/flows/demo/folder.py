"""The demo's folder: an earlier demo is replaced when the new one is whole, and nothing else ever is."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StorageError, UsageError

MARKER = ".replaylake-demo"


def check_folder(folder: Path) -> None:
    """Raise UsageError unless the folder is free, empty, or an earlier demo's, and nobody stands in it."""
    if not (folder.exists() or folder.is_symlink()):
        there = next(parent for parent in folder.absolute().parents if parent.exists())
        if not there.is_dir():
            raise UsageError(
                f"{str(folder)!r} cannot be a folder, for {str(there)!r} is none.",
                hint="Name another one with --folder.",
            )
        return
    if Path.cwd().is_relative_to(folder.resolve()):
        raise UsageError(
            f"The folder {str(folder)!r} is the one that this is run in, or around it.",
            hint="Name another one with --folder: the demo puts a new folder in its place.",
        )
    if not folder.is_dir():
        raise UsageError(
            f"{str(folder)!r} is there, and is not a folder.", hint="Name another one with --folder."
        )
    with _translated(folder):
        held = [entry.name for entry in folder.iterdir()]
    if held and MARKER not in held:
        raise UsageError(
            f"The folder {str(folder)!r} is there, and no demo of replaylake made it.",
            hint="Name another one with --folder: the demo replaces nothing but an earlier demo.",
        )


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Give a fresh folder to build in, which takes the place of `folder` when all went well.

    It lies beside it. Where something fails it is removed, and what was there is as it was. Raise as
    `check_folder` does, and StorageError where the system refuses.
    """
    check_folder(folder)
    target = folder.resolve()
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.building")
    with _translated(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
    try:
        yield aside
        check_folder(folder)
        with _translated(folder):
            (aside / MARKER).write_text("Made by `replaylake demo`, which may replace this folder.\n")
            _swap(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    old = new.with_suffix(".replaced")
    if not target.exists():
        os.replace(new, target)
        return
    os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StorageError(
            f"The demo cannot be kept in {str(folder)!r}: {exc.strerror or exc}.",
            hint="Name another place with --folder.",
        ) from exc
