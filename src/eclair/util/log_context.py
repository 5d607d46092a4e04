"""The context of log lines: the request they belong to, fields for programs, administrative acts."""

from __future__ import annotations

import logging
from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the HTTP request that the current task serves or was begun by."""

FIELDS_ATTRIBUTE = "fields"
"""The attribute of a log record that holds its fields."""

LogFields = dict[str, str | int | float | bool | None]

ADMIN_LOGGER = "eclair.admin"
ACCESS_LOGGER = "eclair.access"
ALWAYS_LOGGED = (ADMIN_LOGGER, ACCESS_LOGGER)
"""Loggers whose lines are written whatever `log_level` is."""


def log_fields(logger: logging.Logger, level: int, message: str, fields: LogFields) -> None:
    """Log a message with fields, which the JSON format shows one by one."""
    logger.log(level, "%s", message, extra={FIELDS_ATTRIBUTE: fields})


def log_admin_act(act: str, sentence: str, **fields: str | int) -> None:
    """Log an administrative act, whatever the log level. Names only: no text of chats."""
    log_fields(logging.getLogger(ADMIN_LOGGER), logging.INFO, sentence, {"act": act, **fields})
