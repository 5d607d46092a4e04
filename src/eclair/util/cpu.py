"""CPU cores and the priority of threads; imports nothing of ours."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

LOWEST_PRIORITY = 19


def available_cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def lower_thread_priority() -> None:
    """Let this thread, which can't be raised again, run after all others; only Linux has priorities of threads."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
