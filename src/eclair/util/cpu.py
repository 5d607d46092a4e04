"""How many cores there are to work with (it imports nothing of ours, so that any process may ask)."""

from __future__ import annotations

import os
import sys


def available_cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
