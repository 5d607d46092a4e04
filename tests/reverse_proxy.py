"""A reverse proxy as others have them before Éclair: it passes a path prefix on, or strips it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future

import aiohttp
from aiohttp import web

_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})


@contextlib.asynccontextmanager
async def proxied(upstream: str, prefix: str, *, strips: bool, host: str | None = None) -> AsyncGenerator[str]:
    """Yield the address of a proxy that serves `upstream` under `prefix` and nothing else.

    It passes the Host header on unless `host` replaces it.
    """

    async def forward(request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        if not path.startswith(f"{prefix}/"):
            raise web.HTTPNotFound(text="This path is another program's.")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
        headers["Host"] = host or request.host
        address = upstream + (path.removeprefix(prefix) if strips else path)
        body = await request.read()
        async with session.request(
            request.method, address, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
            reply = web.StreamResponse(status=answer.status, headers=kept)
            with contextlib.suppress(aiohttp.ClientConnectionResetError):  # the browser has left the page
                await reply.prepare(request)
                async for chunk in answer.content.iter_any():
                    await reply.write(chunk)
                await reply.write_eof()
            return reply

    application = web.Application(client_max_size=64 << 20)
    application.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            yield f"http://127.0.0.1:{port}{prefix}"
        finally:
            server = runner.server
            assert server is not None  # it is set up
            open_ones = [handler.transport for handler in server.connections]
            await runner.cleanup()
            for transport in open_ones:  # one whose browser has left unread words would never close
                if transport is not None:
                    transport.abort()


@contextlib.contextmanager
def proxied_in_thread(upstream: str, prefix: str, *, strips: bool) -> Generator[str]:
    """The same for tests that have no event loop."""
    address: Future[str] = Future()
    ended = threading.Event()

    async def run() -> None:
        async with proxied(upstream, prefix, strips=strips) as found:
            address.set_result(found)
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        yield address.result(20)
    finally:
        ended.set()
        thread.join()
