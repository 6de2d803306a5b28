"""Log lines on standard error: readable for people, or one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = ("adapter", "method", "pid", "request_id", "table", "worker")
"""The names of fields that a log line may carry besides its message."""


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _TextFormatter(logging.Formatter):
    """Time, level, message, then the fields as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        found = [f"{name}={getattr(record, name)}" for name in FIELDS if hasattr(record, name)]
        return " ".join((super().format(record), *found))


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send the logs of this process to standard error.

    Args:
        level: The least level that is written, for instance `info`.
        as_json: Whether to write one JSON object per line.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = _TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_JsonFormatter() if as_json else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
