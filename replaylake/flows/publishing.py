"""Publish to an archive: the stream is the one of the settings, unless another is given."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Self
