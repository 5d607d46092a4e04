"""Which kernels the embedded engine has for this CPU."""

from __future__ import annotations

import subprocess
from functools import cache

from eclair.util.child_process import python_module


@cache
def native_kernels() -> str:
    """The name of those for this CPU; "" where the engine's own are the best, or the only ones."""
    command = python_module("eclair.llm.local.kernels")
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
