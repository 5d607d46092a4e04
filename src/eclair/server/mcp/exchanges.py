"""Exchanges of MCP over HTTP: a message comes by POST, and its reply or a stream goes back. Nothing lasts longer.

Versions of the protocol before 2026-07-28 cancel a call by a message of its own. It names a session, so each client
gets the name of one; no state belongs to it, and it never ends.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from typing import Any, cast

import orjson
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette.sse import _get_shutdown_state  # pyright: ignore[reportPrivateUsage]
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from eclair.errors import TooBusy, TooLarge
from eclair.server.auth import principal_of
from eclair.util.tasks import cancel_and_wait

MAX_BODY_BYTES = 4 << 20
MAX_AT_ONCE = 32
"""Requests of one person that are under way; more are refused."""
RETRY_AFTER_S = 5.0
SESSION_HEADER = "mcp-session-id"

_CallKey = tuple[str, str, str]
"""A call by its person, the name of its session, and its id."""


class Exchanges:
    """Serves MCP over HTTP. An exchange ends with its connection, and so does what it set going."""

    def __init__(self, server: Server[Any]) -> None:
        self._server = server
        self._under_way: dict[_CallKey, asyncio.Task[None]] = {}
        self._counts = Counter[str]()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one message. Raises TooBusy."""
        _get_shutdown_state().watcher_started = True  # it would poll for ever; here streams end with the server's runs
        person = principal_of(scope).id
        if self._counts[person] >= MAX_AT_ONCE:
            raise TooBusy(
                f"You have {MAX_AT_ONCE} requests under way at /mcp, the limit; wait for one to end.",
                retry_after=RETRY_AFTER_S,
            )
        self._counts[person] += 1
        try:
            await self._serve(person, scope, receive, send)
        finally:
            self._counts[person] -= 1
            if not self._counts[person]:
                del self._counts[person]

    async def _serve(self, person: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        message = _parse(body)
        session = Headers(scope=scope).get(SESSION_HEADER, "")
        if message.get("method") == "notifications/cancelled":
            self._cancel((person, session, _id_of(message.get("params"), "requestId")))
        reply = _Reply(send, new_session=message.get("method") == "initialize")
        key = (person, session, _id_of(message, "id"))
        is_cancellable = bool(session) and "id" in message and key not in self._under_way
        call = asyncio.create_task(self._exchange(scope, _replay(body, receive), reply.send))
        if is_cancellable:
            self._under_way[key] = call
        try:
            await asyncio.wait([call])
        finally:
            if is_cancellable:
                del self._under_way[key]
            await cancel_and_wait(call)
        if call.cancelled():
            await reply.end()
        else:
            call.result()

    def _cancel(self, key: _CallKey) -> None:
        if (call := self._under_way.get(key)) is not None:
            call.cancel()

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=MAX_BODY_BYTES)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


class _Reply:
    """A reply on its way; that to the first message of an old client names its session."""

    def __init__(self, send: Send, *, new_session: bool) -> None:
        self._send = send
        self._new_session = new_session
        self._has_begun = self._has_ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            if self._new_session and message["status"] == 200:
                MutableHeaders(scope=message)[SESSION_HEADER] = secrets.token_urlsafe(16)
        elif message["type"] == "http.response.body":
            self._has_ended = not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End the reply to a call that its client cancelled, which waits for none."""
        if not self._has_begun:
            await self._send({"type": "http.response.start", "status": 202, "headers": []})
        if not self._has_ended:
            await self._send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive) -> bytes:
    """Read the body of a request. Raises TooLarge."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The message is larger than {MAX_BODY_BYTES >> 20} MiB; send less at once.")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    """Return a message; nothing for what is none, which is answered with the error that fits."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _id_of(fields: object, name: str) -> str:
    """Return an id, which is a number or a string, as JSON."""
    found = cast("dict[str, Any]", fields).get(name) if isinstance(fields, dict) else None
    return orjson.dumps(found).decode()


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once more, then what comes after it."""
    is_read = False

    async def replaying() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replaying
