"""Watches for the moment when the process can open no more files: the system then drops new visitors unheard."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource

from eclair.util.rare_log import RareLog

INTERVAL_S = 1.0
NONE_LEFT = (errno.EMFILE, errno.ENFILE)

log = logging.getLogger(__name__)


async def watch_descriptors() -> None:
    """Log, once a minute while it lasts, that there are no descriptors left, and once that there are again."""
    warnings = RareLog(log)
    were_left = True
    while True:
        are_left = _are_left()
        if not are_left:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            warnings.warn("", f"New connections are dropped: no more than {limit:,} files and connections can be open.")
        elif not were_left:
            log.info("Files and connections can be opened again.")
        were_left = are_left
        await asyncio.sleep(INTERVAL_S)


def _are_left() -> bool:
    """Tell whether another file can be opened. Raises OSError for any other reason why not."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        if error.errno == errno.EBADF:  # there is no standard input
            return True
        if error.errno not in NONE_LEFT:
            raise
        return False
    return True
