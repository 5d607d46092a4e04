"""The entrance: who is at the door, and the cookie of the session that lets them in."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import JSONResponse, Response

from eclair.accounts.pending_sign_ins import MissingStep
from eclair.accounts.sessions import Visitor
from eclair.accounts.sign_in import SignInResult
from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.server.client_address import ClientAddresses
from eclair.server.pending_cookie import PendingCookie
from eclair.server.person_session import begin_person_session, visitor_of


class Entrance:
    """Lets people in who have shown who they are."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._path = app.settings.path_prefix or "/"
        self.pending = PendingCookie(self._path)

    def visitor(self, request: Request) -> Visitor:
        """Return who wants to come in."""
        address = ClientAddresses(self._app.settings.trusted_proxies).find(request.scope, request.headers)
        return visitor_of(request.headers, address)

    async def let_in(
        self, request: Request, caller: Principal, result: SignInResult, response: Response | None = None
    ) -> Response:
        """Answer with the cookie of a new session, in place of the one that the browser had.

        Where a second step is missing, answer with 202, which one, and the cookie by which it is taken.
        """
        if isinstance(result, MissingStep):
            response = JSONResponse({"second_step": result.step}, 202)
            self.pending.write(request.scope, result.secret, response)
            return response
        if caller.session is not None:
            await self._app.accounts.sessions.end(caller, caller.id, caller.session)
        response = response or Response(status_code=204)
        begin_person_session(request.scope, result, response, self._path)
        self.pending.remove(request.scope, request.headers, response)
        return response


def require_accounts(app: App) -> None:
    """Raise NotFound where nobody has an account."""
    if app.settings.accounts == "off":
        raise NotFound("There are no accounts here; set `accounts` to `on` for them.")


async def own_account(app: App, principal: Principal) -> Person:
    """Return the account of whoever asks. Raises NotFound where nobody has one."""
    require_accounts(app)
    return await app.storage.people.get_person(principal.id)
