"""A client of an Éclair elsewhere, for commands. Its errors are told as they are here."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from eclair.cli._logins import ServerLogin
from eclair.errors import InvalidInput, RemoteFailure, RemoteRefusal
from eclair.network.client import (
    BrokenReply,
    CallContext,
    HttpClient,
    OutboundGate,
    StreamedReply,
    TimedOut,
    Unreachable,
)
from eclair.network.egress_log import open_gate
from eclair.network.policy import Purpose
from eclair.schema.events import Event, decode
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings

POLL_S = 0.5


class EclairServer:
    """An Éclair at `url`, as whoever the key belongs to. Methods raise RemoteRefusal, RemoteFailure, and Refused."""

    def __init__(self, url: str, key: str | None, gate: OutboundGate, purpose: Purpose = "engine") -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self._http = HttpClient(url, key, gate=gate)
        self._context = CallContext(LOCAL_PRINCIPAL, purpose)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, login: ServerLogin) -> AsyncGenerator[EclairServer]:
        async with open_gate(settings) as gate:
            server = cls(login.url, login.key, gate)
            try:
                yield server
            finally:
                await server.close()

    async def get(self, path: str, **query: str | int | None) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        address = f"{self.url}{path}{'?' if given else ''}{urlencode(given)}"
        return await self._read(self._http.get(address, context=self._context))

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        sending = self._http.post(self.url + path, orjson.dumps(body), context=self._context)
        return await self._read(sending)

    async def put(self, path: str, body: Mapping[str, object]) -> Any:
        sending = self._http.put(self.url + path, orjson.dumps(body), context=self._context)
        return await self._read(sending)

    async def post_form(self, path: str, **fields: str) -> tuple[int, dict[str, Any]]:
        """Send a form; return status and reply, which may be an error of OAuth."""
        sending = self._http.post(
            self.url + path,
            urlencode(fields).encode(),
            content_type="application/x-www-form-urlencoded",
            context=self._context,
        )
        status, body = await self._fetch(sending)
        try:
            reply = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError:
            reply = {}
        return status, reply if isinstance(reply, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    async def delete(self, path: str) -> None:
        await self._read(self._http.delete(self.url + path, context=self._context))

    async def upload(self, file: Path, name: str, library: str | None = None) -> dict[str, Any]:
        """Send a file, and return what the server says of it. It reads it in the background."""
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        query = urlencode({"name": name, **({} if library is None else {"library": library})}, quote_via=quote)
        try:
            data = await asyncio.to_thread(file.read_bytes)
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
        sending = self._http.post(f"{self.url}/api/files?{query}", data, content_type=media, context=self._context)
        reply: dict[str, Any] = await self._read(sending)
        return reply

    def stream(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[Event, None]:
        """Begin a run, and yield its events as they come. Leaving closes the connection."""
        headers = {"Accept": "text/event-stream"}
        sending = self._http.post(self.url + path, orjson.dumps(body), headers=headers, context=self._context)
        return self._events(sending)

    def follow(self, path: str) -> AsyncGenerator[Event, None]:
        """Yield the events of a run, from the first on. Leaving closes the connection."""
        return self._events(self._http.get(self.url + path, context=self._context))

    async def close(self) -> None:
        await self._http.close()

    async def _events(self, sending: AbstractAsyncContextManager[StreamedReply]) -> AsyncGenerator[Event, None]:
        try:
            async with sending as reply:
                if reply.status >= 300:
                    self._refuse(reply.status, await reply.body(1 << 20))
                async for line in _lines(reply):
                    if line.startswith(b"data: "):
                        yield decode(line[6:])
        except (Unreachable, TimedOut, BrokenReply) as error:
            raise self._unreachable(error) from error

    async def _read(self, sending: AbstractAsyncContextManager[StreamedReply]) -> Any:
        status, body = await self._fetch(sending)
        if status >= 300:
            self._refuse(status, body)
        try:
            return orjson.loads(body) if body else None
        except orjson.JSONDecodeError as error:
            raise RemoteFailure(f"{self.host} sent no JSON; check that an Éclair is at {self.url}.") from error

    async def _fetch(self, sending: AbstractAsyncContextManager[StreamedReply]) -> tuple[int, bytes]:
        try:
            async with sending as reply:
                return reply.status, await reply.body()
        except (Unreachable, TimedOut, BrokenReply) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> RemoteFailure:
        return RemoteFailure(f"{self.host} can't be reached ({error}); try again later, or use --local.")

    def _refuse(self, status: int, body: bytes) -> None:
        """Raise what the server says."""
        try:
            fault = orjson.loads(body)["error"]
            code, message = str(fault["code"]), str(fault["message"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise RemoteFailure(f"{self.host} replied with {status}; check that an Éclair is at {self.url}.") from None
        if status == 401:
            message = f"{self.host} doesn't take this login any more; `eclair logout`, then `eclair login {self.url}`."
        if status >= 500:
            raise RemoteFailure(f"{self.host}: {message}")
        raise RemoteRefusal(message, status, code)


async def _lines(reply: StreamedReply) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a reply as they become whole."""
    rest = b""
    while chunk := await reply.read():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
