"""Device login (RFC 8628): a program shows a code, somebody who is signed in enters it, and the program gets a key.

Requests are kept in memory, for ten minutes. The key is made when the program fetches it, and stored nowhere but as its
hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from eclair.accounts.api_keys import ApiKeys, NewApiKey
from eclair.accounts.key_rights import KeyRights
from eclair.accounts.sign_in_throttle import SignInThrottle
from eclair.errors import Conflict, NotFound, UserError
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.api_keys import KeyScope

CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no word comes about, and nothing that is mistaken for a digit."""
CODE_LENGTH = 8
LASTS_S = 600
INTERVAL_S = 2
SLOWER_S = 5
MAX_WAITING = 1000
MAX_WAITING_PER_ADDRESS = 20
DEFAULT_DAYS = 90
MAX_NAME_CHARS = 40

DeviceScope = Literal["all", "v1", "read"]
DEVICE_SCOPES: tuple[DeviceScope, ...] = get_args(DeviceScope)

DeviceFault = Literal[
    "invalid_request",
    "invalid_scope",
    "invalid_grant",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "temporarily_unavailable",
]

ResolvePerson = Callable[[str, str], Awaitable[Principal | None]]
"""Finds somebody by id as a principal who comes from an address; None where they are locked or gone."""


class DeviceLoginFault(Exception):
    """A refusal in the words of OAuth, for programs."""

    def __init__(self, code: DeviceFault, description: str) -> None:
        super().__init__(description)
        self.code: DeviceFault = code
        self.description = description


@dataclass(slots=True)
class DeviceRequest:
    """A program that waits. `program` and `device` are what it calls itself; times are in seconds."""

    user_code: str
    program: str
    device: str
    address: str
    scope: DeviceScope
    created: float
    expires: float
    interval: int = INTERVAL_S
    polled: float = 0.0
    owner: str | None = None
    days: int | None = None
    is_denied: bool = False
    digest: bytes = field(default=b"", repr=False)

    @property
    def is_decided(self) -> bool:
        return self.is_denied or self.owner is not None

    @property
    def name(self) -> str:
        """The name of the key."""
        return " ".join(filter(None, (self.program, self.device)))


@dataclass(frozen=True, slots=True)
class BegunDeviceLogin:
    """A request with the code by which its program asks for the key; the person never sees that one."""

    device_code: str
    request: DeviceRequest


class DeviceLogins:
    """The programs that wait for somebody's consent."""

    def __init__(self, keys: ApiKeys, find_person: ResolvePerson, clock: Clock = time.time) -> None:
        self._keys = keys
        self._find_person = find_person
        self._clock = clock
        self._throttle = SignInThrottle(clock)
        self._requests: dict[bytes, DeviceRequest] = {}

    def begin(self, program: str, device: str, scope: str, address: str) -> BegunDeviceLogin:
        """Let a program wait. Raises DeviceLoginFault."""
        wanted: DeviceScope | None = next((each for each in DEVICE_SCOPES if each == (scope.strip() or "v1")), None)
        if wanted is None:
            raise DeviceLoginFault("invalid_scope", f"Ask for one of the scopes {', '.join(DEVICE_SCOPES)}.")
        program = clean_name(program)
        if not program:
            raise DeviceLoginFault("invalid_request", "Say which program asks, as client_id.")
        now = self._clock()
        self._requests = {digest: each for digest, each in self._requests.items() if each.expires > now}
        waiting = sum(each.address == address for each in self._requests.values())
        if waiting >= MAX_WAITING_PER_ADDRESS or len(self._requests) >= MAX_WAITING:
            raise DeviceLoginFault("temporarily_unavailable", "Too many programs wait already; try again later.")
        device_code = secrets.token_urlsafe(32)
        request = DeviceRequest(
            user_code=self._new_user_code(),
            program=program,
            device=clean_name(device)[: 59 - len(program)].strip(),
            address=address,
            scope=wanted,
            created=now,
            expires=now + LASTS_S,
            digest=_digest(device_code),
        )
        self._requests[request.digest] = request
        return BegunDeviceLogin(device_code, request)

    def find(self, principal: Principal, user_code: str) -> DeviceRequest:
        """Return the program that shows a code, however that was typed.

        Raises NotFound where none does any more, and TooBusy after many wrong codes.
        """
        self._throttle.check(principal.id)
        letters = "".join(letter for letter in user_code.upper() if letter in CODE_LETTERS)
        now = self._clock()
        for request in self._requests.values():
            if secrets.compare_digest(request.user_code, letters) and request.expires > now and not request.is_decided:
                return request
        self._throttle.note_failure(principal.id)
        raise NotFound("No program waits with this code; check it, or start again in the program.")

    def approve(self, principal: Principal, user_code: str, days: int) -> None:
        """Let a program in as the principal. Raises what `find` and `require_right` raise, and InvalidInput."""
        self._keys.require_right(principal)
        request = self.find(principal, user_code)
        KeyRights(scope=request.scope, days=days)  # which checks them
        request.days = days
        request.owner = principal.id

    def deny(self, principal: Principal, user_code: str) -> None:
        """Refuse a program. Raises what `find` raises."""
        self.find(principal, user_code).is_denied = True

    async def redeem(self, device_code: str, address: str) -> NewApiKey:
        """Make the key that somebody let a program have; its code is spent. Raises DeviceLoginFault until then."""
        request = self._requests.get(_digest(device_code))
        now = self._clock()
        if request is None:
            raise DeviceLoginFault("invalid_grant", "This device_code was never given out, or has been used.")
        if request.expires <= now:
            raise DeviceLoginFault("expired_token", "Nobody confirmed in time; start again.")
        if request.is_denied:
            raise DeviceLoginFault("access_denied", "The person refused.")
        if request.owner is None:
            is_early, request.polled = now - request.polled < request.interval - 0.5, now
            if is_early:
                request.interval += SLOWER_S
                raise DeviceLoginFault("slow_down", f"Ask every {request.interval} seconds at most.")
            raise DeviceLoginFault("authorization_pending", "Nobody has confirmed yet.")
        del self._requests[request.digest]
        owner = await self._find_person(request.owner, address)
        if owner is None:
            raise DeviceLoginFault("access_denied", "The account is locked.")
        return await self._make_key(owner, request)

    async def revoke(self, secret: bytes) -> None:
        """Revoke a key by itself. One that is none is none afterwards, too."""
        key = await self._keys.find(secret)
        if key is not None:
            await self._keys.revoke(Principal(key.owner, key=key.id), key.name)

    async def _make_key(self, owner: Principal, request: DeviceRequest) -> NewApiKey:
        taken = {key.name for key in await self._keys.list_keys(owner)}
        names = (request.name, *(f"{request.name[:56]} {number}" for number in range(2, len(taken) + 3)))
        scope: KeyScope = request.scope
        try:
            name = next(name for name in names if name not in taken)
            return await self._keys.add(owner, name, KeyRights(scope=scope, days=request.days))
        except Conflict:
            raise DeviceLoginFault(
                "temporarily_unavailable", "Another key of this name was made meanwhile; start again."
            ) from None
        except UserError as error:
            raise DeviceLoginFault("access_denied", error.message) from None

    def _new_user_code(self) -> str:
        taken = {each.user_code for each in self._requests.values()}
        while (code := "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))) in taken:
            pass
        return code


def clean_name(given: str) -> str:
    """Return the name that a program gives itself, in the characters that the name of a key may have."""
    return re.sub(r"[^\w .@+-]|^\W+", "", given)[:MAX_NAME_CHARS].strip(" .@+-")


def show_code(user_code: str) -> str:
    """Return a code in two halves, as people read it."""
    return f"{user_code[: CODE_LENGTH // 2]}-{user_code[CODE_LENGTH // 2 :]}"


def _digest(device_code: str) -> bytes:
    return hashlib.sha256(device_code.encode("utf-8", "surrogatepass")).digest()
