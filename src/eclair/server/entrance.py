"""The entrance: who is at the door, and the cookie of the session that lets them in."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from eclair.accounts.sessions import BegunSession, Visitor
from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.server.client_address import ClientAddresses
from eclair.server.person_session import begin_person_session, visitor_of


class Entrance:
    """Lets people in who have shown who they are."""

    def __init__(self, app: App) -> None:
        self._app = app

    def visitor(self, request: Request) -> Visitor:
        """Return who wants to come in."""
        address = ClientAddresses(self._app.settings.trusted_proxies).find(request.scope, request.headers)
        return visitor_of(request.headers, address)

    async def let_in(self, request: Request, caller: Principal, begun: BegunSession) -> Response:
        """Answer with the cookie of a new session, in place of the one that the browser had."""
        if caller.session is not None:
            await self._app.accounts.sessions.end(caller, caller.id, caller.session)
        response = Response(status_code=204)
        begin_person_session(request.scope, begun, response, self._app.settings.path_prefix or "/")
        return response


def require_accounts(app: App) -> None:
    """Raise NotFound where nobody has an account."""
    if app.settings.accounts == "off":
        raise NotFound("There are no accounts here; set `accounts` to `on` for them.")


async def own_account(app: App, principal: Principal) -> Person:
    """Return the account of whoever asks. Raises NotFound where nobody has one."""
    require_accounts(app)
    return await app.storage.people.get_person(principal.id)
