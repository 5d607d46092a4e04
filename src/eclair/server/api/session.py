"""`/api/session`: signs a browser in with a key, so that it need not keep the key, and out again."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.server.access import given_keys
from eclair.server.key_session import KeySession


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/session", tags=["session"])
    sessions = KeySession.from_settings(app.settings)

    @api.post("", status_code=204)
    async def sign_in(request: Request) -> Response:
        given = given_keys(request.headers)
        if not given:
            raise InvalidInput("Only a key begins a session; send `Authorization: Bearer KEY`.")
        response = Response(status_code=204)
        await asyncio.to_thread(sessions.begin, request.scope, given[0], response)
        return response

    @api.delete("", status_code=204)
    async def sign_out(request: Request) -> Response:
        response = Response(status_code=204)
        sessions.end(request.scope, response)
        return response

    return api
