"""Sockets that servers listen on."""

from __future__ import annotations

import asyncio
import socket

from eclair.util.port import listen


async def test_a_server_sends_without_waiting_for_acknowledgements() -> None:
    """A reply of two writes on a connection that is kept would else come 40 ms later."""
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(answer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await found
            writer.close()
            await writer.wait_closed()
