"""A page of this machine to which a browser is led back after a sign-in, as native apps have it (RFC 8252)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

from eclair.errors import UserError

PATH = "/callback"
MAX_HEAD_BYTES = 32 << 10
READ_TIMEOUT_S = 10.0

_HEAD = "\r\n".join(
    (
        "HTTP/1.1 {status}",
        "Content-Type: text/html; charset=utf-8",
        "Content-Length: {size}",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "Content-Security-Policy: default-src 'none'",
        "Connection: close",
        "",
        "",
    )
)
_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Éclair</title><p>{text}</p></html>'


class RedirectPage:
    """The page at `address`; it waits for a browser that brings back the right `state`."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}{PATH}"
        self._state = ""
        self._answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def wait(self, state: str, timeout_s: float, complain: Callable[[], None] | None = None) -> dict[str, str]:
        """Return the parameters that come back. Raises TimeoutError.

        With `complain`, an address may also be pasted; it is called for one that isn't right.
        """
        self._state = state
        loop = asyncio.get_running_loop()
        if complain is not None:
            loop.add_reader(sys.stdin, self._read_typed, complain)
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), timeout_s)
        finally:
            if complain is not None:
                loop.remove_reader(sys.stdin)

    def _read_typed(self, complain: Callable[[], None]) -> None:
        line = sys.stdin.readline()
        if not line:  # Ctrl-D
            asyncio.get_running_loop().remove_reader(sys.stdin)
        elif not self._take(line.strip()):
            complain()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), READ_TIMEOUT_S)
            method, target, *_ = head.decode("latin-1").split(" ", 2)
            is_right = method == "GET" and urlsplit(target).path == PATH and self._take(target)
            text = "Éclair goes on in the terminal. You can close this page." if is_right else "There is nothing here."
            page = _PAGE.format(text=text).encode()
            writer.write(_HEAD.format(status="200 OK" if is_right else "404 Not Found", size=len(page)).encode() + page)
            await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # no browser that was led here
        finally:
            writer.close()

    def _take(self, url: str) -> bool:
        """Take the parameters of an address, if they are those that are waited for."""
        found = dict(parse_qsl(urlsplit(url).query))
        is_right = self._state != "" and found.get("state") == self._state
        if is_right and not self._answer.done():
            self._answer.set_result(found)
        return is_right


@asynccontextmanager
async def open_redirect_page(port: int = 0) -> AsyncGenerator[RedirectPage]:
    """Serve a page on a port of the loopback address, 0 for any free one. Raises UserError for one that is taken."""
    pages: list[RedirectPage] = []
    try:
        server = await asyncio.start_server(
            lambda reader, writer: pages[0].serve(reader, writer), "127.0.0.1", port, limit=MAX_HEAD_BYTES
        )
    except OSError as error:
        raise UserError(f"Port {port} can't be listened on: {error.strerror}; choose another.") from error
    pages.append(RedirectPage(server.sockets[0].getsockname()[1]))
    async with server:
        yield pages[0]
