"""`/scim/v2`: people and groups as a directory such as Entra ID or Okta provisions them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from scim2_server.applications.asgi import ASGIApplication
from starlette.responses import Response

from eclair.accounts.provisioning import Provisioning, ProvisioningStores
from eclair.accounts.scim_mapping import build_models, provider
from eclair.app import App
from eclair.errors import NotFound
from eclair.server.principal import Caller

PREFIX = "/scim/v2"


class ScimApplication(ASGIApplication):
    """SCIM's protocol over one request's storage; the guard at the door has checked the key."""

    @staticmethod
    def get_base_url(scope: Any) -> str:
        """Return the address of the resources, as the client sees it."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        return f"{scope['scheme']}://{host}{scope.get('root_path', '')}{PREFIX}"

    @staticmethod
    def get_path(scope: Any) -> str:
        """Return the path beneath `PREFIX`."""
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return path.removeprefix(PREFIX)


def _receiver(request: Request) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return the request's `receive` as the application types it."""

    async def receive() -> dict[str, Any]:
        return dict(await request.receive())

    return receive


def router(app: App) -> APIRouter:
    api = APIRouter(prefix=PREFIX, tags=["people"])
    build_models()  # which takes a while, and is done in a thread here
    stores = ProvisioningStores(app.storage.scim, app.storage.people, app.storage.groups)

    async def serve(request: Request, principal: Caller) -> Response:
        if app.settings.accounts == "off":
            raise NotFound("There are no accounts here; set `accounts` to `on` for them.")
        storage = Provisioning(stores, app.accounts.people, app.accounts.principals, principal)
        application = ScimApplication(storage, provider())
        reply = await application.serve(await application.read_request(dict(request.scope), _receiver(request)))
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        return Response(body, int(reply.status), reply.headers)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        api.add_api_route("/{path:path}", serve, methods=[method], include_in_schema=False)
    return api
