"""Tasks of asyncio that are given up."""

from __future__ import annotations

import asyncio
from typing import Any


async def cancel_and_wait(task: asyncio.Future[Any]) -> None:
    """Cancel a task that is still running, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
