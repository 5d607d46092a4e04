"""Logging set-up for commands; nothing else configures logging."""

from __future__ import annotations

import logging
import sys

from eclair.settings import Settings


def log_to_stderr(settings: Settings) -> None:
    """Log from `log_level` on; from uvicorn only warnings, unless at level debug."""
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in ("uvicorn", "asyncio") if level > logging.DEBUG else ():
        logging.getLogger(name).setLevel(logging.WARNING)


def log_if_debugging(settings: Settings) -> None:
    """Log at level debug only, for commands that tell the user themselves what matters."""
    if settings.log_level == "debug":
        log_to_stderr(settings)
    else:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
