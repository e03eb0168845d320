"""Let the kernel tell which files of some folders were opened, made or changed."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_OPENED, _MODIFIED, _CREATED, _DELETED, _MOVED = 0x20, 0x2, 0x100, 0x200, 0xC0
_EVENT = struct.Struct("iIII")


@contextmanager
def watched(folders: Sequence[Path]) -> Iterator[list[str]]:
    """Watch folders; the list holds, afterwards, what was touched in them."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    names = {}
    touched: list[str] = []
    try:
        for folder in folders:
            mask = _OPENED | _MODIFIED | _CREATED | _DELETED | _MOVED
            place = libc.inotify_add_watch(descriptor, os.fsencode(folder), mask)
            assert place >= 0, os.strerror(ctypes.get_errno())
            names[place] = folder
        yield touched
        touched += [str(names[place] / name) for place, name in _events(descriptor)]
    finally:
        os.close(descriptor)


def _events(descriptor: int) -> Iterator[tuple[int, str]]:
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return
        while data:
            place, _, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
            data = data[_EVENT.size + length :]
            yield place, name
