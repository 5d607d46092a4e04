"""A program that keeps one core busy, beside which candidates are measured."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator

from eclair.util.child_environment import child_environment

BUSY_PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True: pass
"""


@contextlib.asynccontextmanager
async def busy_program() -> AsyncGenerator[None]:
    """Run a program that keeps one core busy; it ends with the block or with this process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", BUSY_PROGRAM), stdin=asyncio.subprocess.PIPE, env=child_environment()
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()
