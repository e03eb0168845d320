"""Choose the device to train on, and how many threads share the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from schemas.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
SMALL = 2**24  # multiplications of one forward pass: below, threads wait for each other longer than they work


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is CUDA, else MPS, else the CPU.

    Raises UsageError for a device that does not exist, or is not on this machine.
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and (kind != "cuda" or not index.isdecimal())):
        raise UsageError(
            f"There is no device {name!r}.", hint=f"Use one of {', '.join(DEVICES)}, or such as cuda:1."
        )
    there = [
        kind
        for kind, is_there in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if is_there
    ]
    if kind == "auto":
        return torch.device(there[0])
    if kind not in there or (index and int(index) >= torch.cuda.device_count()):
        raise UsageError(
            f"The device {name!r} is not available on this machine.",
            hint="Use device='auto', which takes what is there.",
        )
    return torch.device(name)


@contextmanager
def threads_for(multiplications: int) -> Iterator[None]:
    """Compute on one thread while the work is small, and on as many as before from then on.

    On one thread the result does not hang on how many cores a machine has, and a busy neighbour does
    not slow it down many times over.
    """
    before = torch.get_num_threads()
    try:
        if multiplications < SMALL:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)
