"""Access: for whom a request acts, by the account it comes from, a key, or a cookie."""

from __future__ import annotations

import hmac
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.types import Scope

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.key_rights import check_use, limits_of
from eclair.accounts.principals import Principals
from eclair.errors import AccountLocked, Unauthorized
from eclair.live_settings import LiveSettings
from eclair.network.exposure import is_exposed
from eclair.schema.principal import LOCAL_PRINCIPAL, PersonRole, Principal
from eclair.server.client_address import ClientAddresses
from eclair.server.key_session import KeySession
from eclair.server.owner_session import OwnerSession
from eclair.server.peer import PeerAccount, peer_account
from eclair.server.person_session import session_secret
from eclair.server.refusals import Refusals
from eclair.settings import Settings
from eclair.storage.api_keys import StoredApiKey

NEEDS_SIGN_IN = "Sign in first; programs send `Authorization: Bearer KEY` with a key of their person's."
NEEDS_KEY = "This Éclair needs its key: send `Authorization: Bearer KEY`, or `x-api-key: KEY`."
HOW_TO_GET_A_KEY: dict[PeerAccount, str] = {
    "own": NEEDS_KEY,
    "other": (
        "This Éclair belongs to another account, so it needs a key: have one made with `eclair key new NAME`, "
        "and send `Authorization: Bearer KEY`."
    ),
    "unknown": (
        "This system doesn't say whose request it is: open the address that Éclair printed at its start, "
        "or send `Authorization: Bearer KEY` with a key from `eclair key new NAME`."
    ),
}


class AccessControl:
    """Decides for whom a request acts.

    Where Éclair can be reached from elsewhere, or `api_key` is set, that takes a key. Otherwise requests of its own
    account need none; those of other accounts do, unless `loopback_accounts` lets all in.

    Where people have accounts, everybody signs in, or has a key of somebody who has one.
    """

    def __init__(
        self, settings: LiveSettings, keys: ApiKeys, principals: Principals, session: OwnerSession | None
    ) -> None:
        self._keys = keys
        self._principals = principals
        self._has_accounts = settings.current.accounts == "on"
        self._cookie_path = settings.current.path_prefix or "/"
        self._session = session
        self._key_session = KeySession.from_settings(settings.current, keys.clock)
        self._refusals = Refusals()
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self.needs_key = settings.api_key is not None or is_exposed(settings) or settings.accounts == "on"
        self._lets_all_in = settings.loopback_accounts == "all"
        self._key = settings.api_key
        self._is_exposed = is_exposed(settings)
        self._addresses = ClientAddresses(settings.trusted_proxies)

    async def identify(self, scope: Scope, headers: Headers, *, by_key_alone: bool = False) -> Principal:
        """Return for whom a request acts.

        Raises Unauthorized, Forbidden for what a key may not do, and TooBusy after many wrong keys. With `by_key_alone`
        neither the account nor a cookie counts, since a foreign page's browser has both.
        """
        if self._has_accounts:
            return await self._identify_person(scope, headers, by_key_alone=by_key_alone)
        account: PeerAccount = "own"
        if not self.needs_key and not by_key_alone:
            account = "own" if self._lets_all_in else await peer_account(scope)
            if account == "own" or (self._session is not None and self._session.has_cookie(scope, headers)):
                return await self._find_keyed(scope, headers) or LOCAL_PRINCIPAL
        if not by_key_alone and (principal := await self._find_session(scope, headers)) is not None:
            return principal
        if (principal := await self._find_keyed(scope, headers)) is not None:
            return principal
        given = given_keys(headers)
        address = self._addresses.find(scope, headers)
        is_watched = self._is_exposed or await peer_account(scope) != "own"  # who could read the key gains nothing
        if given and is_watched:
            await self._refusals.wait(address)
        if self._has_set_key(given):
            return LOCAL_PRINCIPAL
        if is_watched:
            self._refusals.note(address, had_key=bool(given))
        raise Unauthorized(HOW_TO_GET_A_KEY[account])

    async def _identify_person(self, scope: Scope, headers: Headers, *, by_key_alone: bool) -> Principal:
        """Return the person whose session or key a request has. Raises as `identify` does, and AccountLocked."""
        address = self._addresses.find(scope, headers)
        if not by_key_alone and (secret := session_secret(scope, headers, self._cookie_path)) is not None:
            found = await self._principals.find_by_session(secret, address)
            if found is not None:
                return found
        given = given_keys(headers)
        for secret in given:
            if (key := await self._keys.find(secret)) is not None:
                check_use(key, scope["method"], scope["path"], address, int(self._keys.clock() * 1000))
                if (owner := await self._principals.find_by_person(key.owner, address, key.id)) is not None:
                    return replace(owner, limits=limits_of(key))
                raise AccountLocked("The account of this key is locked or gone; use a key of somebody else's.")
        if given:
            await self._refusals.wait(address)
        self._refusals.note(address, had_key=bool(given))
        raise Unauthorized(NEEDS_SIGN_IN)

    async def wait_until_out(self, scope: Scope, headers: Headers) -> None:
        """Wait until the session or key of a request that is being answered lets nobody in any more."""
        while await self._is_in(scope, headers):
            await self._principals.wait_for_change()

    async def _is_in(self, scope: Scope, headers: Headers) -> bool:
        secret = session_secret(scope, headers, self._cookie_path)
        if secret is not None and await self._principals.find_by_session(secret, "") is not None:
            return True
        keys = [await self._keys.find(secret) for secret in given_keys(headers)]
        owners = [await self._principals.find_by_person(key.owner, "") for key in keys if key is not None]
        return any(owner is not None for owner in owners)

    async def _find_keyed(self, scope: Scope, headers: Headers) -> Principal | None:
        """Return for whom the key of a request acts, with the key's rights; None without one that is known."""
        for secret in given_keys(headers):
            if (key := await self._keys.find(secret)) is not None:
                return self._principal(key, scope, headers)
        return None

    async def _find_session(self, scope: Scope, headers: Headers) -> Principal | None:
        """Return for whom a browser acts that has shown a key; None where it has not, or the key is none any more."""
        digest = self._key_session.find_digest(scope, headers)
        if digest is None:
            return None
        if self._key is not None and hmac.compare_digest(digest, self._key_session.digest(self._key.encode())):
            return LOCAL_PRINCIPAL
        key = await self._keys.find_by_digest(digest)
        return None if key is None else self._principal(key, scope, headers)

    def _principal(self, key: StoredApiKey, scope: Scope, headers: Headers) -> Principal:
        """Return for whom a key acts. Raises Unauthorized or Forbidden for what it may not do."""
        address = self._addresses.find(scope, headers)
        check_use(key, scope["method"], scope["path"], address, int(self._keys.clock() * 1000))
        role: PersonRole = "admin" if key.owner == LOCAL_PRINCIPAL.id else "member"
        return Principal(key.owner, key.id, role=role, address=address, limits=limits_of(key))

    def _has_set_key(self, given: list[bytes]) -> bool:
        return self._key is not None and any(hmac.compare_digest(key, self._key.encode()) for key in given)


def given_keys(headers: Headers) -> list[bytes]:
    """Return the keys that a request has, as OpenAI's clients send them, as Anthropic's do and as Azure's do."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = (bearer if scheme.lower() == "bearer" else "", headers.get("x-api-key", ""), headers.get("api-key", ""))
    return [key.encode("latin-1") for key in given if key]
