"""Structured logs on standard error: a line of text for people, or a JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object: time, level, logger, message, and every extra field."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        content: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


def set_up_logs(level: str, form: Literal["text", "json"]) -> None:
    """Log what replaylake says, from `level` on, to standard error.

    Other libraries are left alone, but for kafka-python: what it tells is in our errors and warnings, so it
    is heard at `debug` only.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logger = logging.getLogger("replaylake")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    client = logging.getLogger("kafka")
    client.handlers[:] = [handler if level == "debug" else logging.NullHandler()]
    client.propagate = False
