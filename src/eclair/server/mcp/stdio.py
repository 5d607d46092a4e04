"""Éclair as an MCP server of a program that starts it, over standard input and output."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator
from typing import Any

from mcp.server.stdio import stdio_server

from eclair.app import open_app
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server.mcp.exchanges import MAX_BODY_BYTES
from eclair.server.mcp.handlers import McpHandlers
from eclair.settings import Settings


async def serve_stdio(settings: Settings) -> int:
    """Serve until standard input ends, as the owner; return the exit code. Raises what `open_app` does."""
    async with open_app(settings) as app:
        server = McpHandlers(app, lambda _: LOCAL_PRINCIPAL).server()
        async with stdio_server(await _open_lines()) as (messages, replies):
            await server.run(messages, replies, server.create_initialization_options())
    return 0


async def _open_lines() -> Any:
    """Open standard input so that waiting for a line can be cancelled; None for a file, which never lets wait."""
    if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        return None
    reader = asyncio.StreamReader(limit=MAX_BODY_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return _read_lines(reader)  # nothing but its lines is asked of the file


async def _read_lines(reader: asyncio.StreamReader) -> AsyncGenerator[str, None]:
    """Yield lines; what is left of one that is too long is no message, and answered so."""
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line.decode("utf-8", errors="replace")
