"""Logging set-up for commands; nothing else configures logging."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from eclair.settings import Settings
from eclair.util.log_context import ALWAYS_LOGGED, FIELDS_ATTRIBUTE, REQUEST_ID


def log_to_stderr(settings: Settings) -> None:
    """Log from `log_level` on, as `log_format` says; from libraries only warnings, unless at level debug."""
    level = getattr(logging, settings.log_level.upper())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in ("uvicorn", "asyncio", "mcp"):
        logging.getLogger(name).setLevel(logging.WARNING if level > logging.DEBUG else logging.NOTSET)
    for name in ALWAYS_LOGGED:
        logging.getLogger(name).setLevel(logging.INFO)


def log_if_debugging(settings: Settings) -> None:
    """Log at level debug only, for commands that tell the user themselves what matters."""
    if settings.log_level == "debug":
        log_to_stderr(settings)
    else:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)


class TextFormatter(logging.Formatter):
    """A line for people: time, level, logger, message, and the request's id in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # as the base class names it
        line = super().formatMessage(record)
        id = REQUEST_ID.get()
        return line if id is None else f"{line} [{id}]"


class JsonFormatter(logging.Formatter):
    """A line of JSON: `time`, `level`, `logger`, `message`, `request_id`, `traceback`, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (id := REQUEST_ID.get()) is not None:
            line["request_id"] = id
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        line |= getattr(record, FIELDS_ATTRIBUTE, {})
        return orjson.dumps(line, default=str).decode()
