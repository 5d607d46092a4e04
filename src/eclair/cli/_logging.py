"""Where logs go; set up by commands and nowhere else."""

from __future__ import annotations

import logging
import sys

from eclair.settings import Settings


def log_to_stderr(settings: Settings) -> None:
    """Everything from `log_level` on; of uvicorn only what is wrong, unless all is wanted."""
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in ("uvicorn", "asyncio") if level > logging.DEBUG else ():
        logging.getLogger(name).setLevel(logging.WARNING)


def log_if_debugging(settings: Settings) -> None:
    """For commands that talk to a person, who is told what matters in the command's own words."""
    if settings.log_level == "debug":
        log_to_stderr(settings)
    else:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
