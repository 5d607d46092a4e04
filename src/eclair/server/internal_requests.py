"""Requests that Éclair sends to its own API, on behalf of a principal, without a connection."""

from __future__ import annotations

import asyncio

import orjson
from fastapi import FastAPI
from starlette.types import Message, Scope

from eclair.accounts.principals import Principals
from eclair.chat.batches import SentReply
from eclair.errors import AccountLocked
from eclair.network.gate import PRINCIPAL
from eclair.schema.principal import Principal
from eclair.server.auth import set_principal

HOST = "127.0.0.1"


class InternalRequests:
    """Calls an application whose routes nothing guards: whoever sends says for whom."""

    def __init__(self, api: FastAPI, principals: Principals, *, has_accounts: bool) -> None:
        self._api = api
        self._principals = principals
        self._has_accounts = has_accounts

    async def post(self, principal: Principal, path: str, body: bytes) -> SentReply:
        """Send JSON and return the reply, with the rights that the person has now. Cancelling stops the work."""
        if self._has_accounts:
            found = await self._principals.find_by_person(principal.id, HOST)
            if found is None:
                return SentReply(AccountLocked.status, orjson.dumps(AccountLocked().message))
            principal = found
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", HOST.encode()), (b"content-type", b"application/json")],
            "client": (HOST, 0),
            "server": (HOST, 80),
            "state": {},
        }
        set_principal(scope, principal)
        exchange = _Exchange(body)
        token = PRINCIPAL.set(principal)
        try:
            await self._api(scope, exchange.receive, exchange.send)
        except Exception:  # a bug, which its handler has logged and answered
            if not exchange.status:
                raise
        finally:
            PRINCIPAL.reset(token)
        return SentReply(exchange.status, b"".join(exchange.pieces))


class _Exchange:
    """A request whose client stays, and the reply to it."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.pieces: list[bytes] = []

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.Future[None]()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))
