"""Choose the device to train on."""

from __future__ import annotations

import torch

from schemas.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is CUDA, else MPS, else the CPU. Raise UsageError for one that is not there."""
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and (kind != "cuda" or not index.isdecimal())):
        raise UsageError(
            f"There is no device {name!r}.", hint=f"Use one of {', '.join(DEVICES)}, or such as cuda:1."
        )
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if kind == "auto":
        return torch.device(next((found for found, is_there in there.items() if is_there()), "cpu"))
    if kind in there and not there[kind]() or int(index or 0) >= max(1, torch.cuda.device_count()):
        raise UsageError(
            f"The device {name!r} is not available on this machine.",
            hint="Use device='auto', which takes what is there.",
        )
    return torch.device(name)
