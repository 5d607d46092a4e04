"""Open files in threads, and close those that nobody waits for any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO, Literal


async def open_file(path: Path, mode: Literal["rb", "wb"]) -> IO[bytes]:
    """Open a file in a thread. Raises OSError.

    If that is cancelled, the file is closed as soon as the thread has opened it.
    """
    opening = asyncio.create_task(asyncio.to_thread(path.open, mode))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_file)  # its thread opens it all the same
        raise


def _close_file(opening: asyncio.Task[IO[bytes]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
