"""Device login (RFC 8628): a program shows a code, somebody who is signed in enters it, and the program gets a key.

Requests are kept for ten minutes. The key is made when the program fetches it, and stored nowhere but as its hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

import orjson

from eclair.accounts.api_keys import ApiKeys, NewApiKey
from eclair.accounts.key_rights import KeyRights
from eclair.accounts.sign_in_throttle import SignInThrottle
from eclair.errors import Conflict, NotFound, UserError
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.api_keys import KeyScope
from eclair.storage.sign_in_states import SignInState, SignInStateStore
from eclair.util.lru import LruCache

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


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A program that waits. `program` and `device` are what it calls itself; times are in seconds."""

    user_code: str
    program: str
    device: str
    address: str
    scope: DeviceScope
    created: float
    expires: float
    owner: str | None = None
    days: int | None = None
    is_denied: bool = False

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


@dataclass(slots=True)
class _Polling:
    """The pace at which a program asks this process: when it last did, and the least seconds between two times."""

    asked: float = 0.0
    interval: int = INTERVAL_S


class DeviceLogins:
    """The programs that wait for somebody's consent."""

    def __init__(self, store: SignInStateStore, keys: ApiKeys, find_person: ResolvePerson, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._find_person = find_person
        self._clock = clock
        self._throttle = SignInThrottle(clock)
        self._polling: LruCache[bytes, _Polling] = LruCache(MAX_WAITING)

    async def begin(self, program: str, device: str, scope: str, address: str) -> BegunDeviceLogin:
        """Let a program wait. Raises DeviceLoginFault."""
        wanted: DeviceScope | None = next((each for each in DEVICE_SCOPES if each == (scope.strip() or "v1")), None)
        if wanted is None:
            raise DeviceLoginFault("invalid_scope", f"Ask for one of the scopes {', '.join(DEVICE_SCOPES)}.")
        program = clean_name(program)
        if not program:
            raise DeviceLoginFault("invalid_request", "Say which program asks, as client_id.")
        now = self._clock()
        waiting, own = await self._store.count_sign_in_states("device", int(now * 1000), address)
        if own >= MAX_WAITING_PER_ADDRESS or waiting >= MAX_WAITING:
            raise DeviceLoginFault("temporarily_unavailable", "Too many programs wait already; try again later.")
        device_code = secrets.token_urlsafe(32)
        request = DeviceRequest(
            user_code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)),
            program=program,
            device=clean_name(device)[: 59 - len(program)].strip(),
            address=address,
            scope=wanted,
            created=now,
            expires=now + LASTS_S,
        )
        try:
            await self._store.add_sign_in_state(_digest(device_code), _stored(request), int(now * 1000), MAX_WAITING)
        except Conflict:
            raise DeviceLoginFault(
                "temporarily_unavailable", "Another program was given the same code; start again."
            ) from None
        return BegunDeviceLogin(device_code, request)

    async def find(self, principal: Principal, user_code: str) -> DeviceRequest:
        """Return the program that shows a code, however that was typed.

        Raises NotFound where none does any more, and TooBusy after many wrong codes.
        """
        _, found = await self._find(principal, user_code)
        return _request(found)

    async def approve(self, principal: Principal, user_code: str, days: int) -> None:
        """Let a program in as the principal. Raises what `find` and `require_right` raise, and InvalidInput."""
        self._keys.require_right(principal)
        digest, found = await self._find(principal, user_code)
        request = _request(found)
        KeyRights(scope=request.scope, days=days)  # which checks them
        await self._decide(digest, found, replace(request, days=days, owner=principal.id))

    async def deny(self, principal: Principal, user_code: str) -> None:
        """Refuse a program. Raises what `find` raises."""
        digest, found = await self._find(principal, user_code)
        await self._decide(digest, found, replace(_request(found), is_denied=True))

    async def redeem(self, device_code: str, address: str) -> NewApiKey:
        """Make the key that somebody let a program have; its code is spent. Raises DeviceLoginFault until then."""
        digest, now = _digest(device_code), self._clock()
        found = await self._store.find_sign_in_state(digest)
        if found is None or found.kind != "device":
            raise _unknown_code()
        request = _request(found)
        if request.expires <= now:
            raise DeviceLoginFault("expired_token", "Nobody confirmed in time; start again.")
        if request.is_denied:
            raise DeviceLoginFault("access_denied", "The person refused.")
        if request.owner is None:
            self._check_pace(digest, now)
            raise DeviceLoginFault("authorization_pending", "Nobody has confirmed yet.")
        if await self._store.take_sign_in_state(digest) is None:
            raise _unknown_code()
        owner = await self._find_person(request.owner, address)
        if owner is None:
            raise DeviceLoginFault("access_denied", "The account is locked.")
        return await self._make_key(owner, request)

    async def revoke(self, secret: bytes) -> None:
        """Revoke a key by itself. One that is none is none afterwards, too."""
        key = await self._keys.find(secret)
        if key is not None:
            await self._keys.revoke(Principal(key.owner, key=key.id), key.name)

    async def _find(self, principal: Principal, user_code: str) -> tuple[bytes, SignInState]:
        self._throttle.check(principal.id)
        letters = "".join(letter for letter in user_code.upper() if letter in CODE_LETTERS)
        found = await self._store.find_sign_in_code("device", letters)
        if found is None or _request(found[1]).is_decided or found[1].expires <= self._clock() * 1000:
            self._throttle.note_failure(principal.id)
            raise _nobody_waits()
        return found

    async def _decide(self, digest: bytes, found: SignInState, decided: DeviceRequest) -> None:
        """Keep a decision. Raises NotFound where there is another meanwhile."""
        if not await self._store.replace_sign_in_state(digest, found, _stored(decided)):
            raise _nobody_waits()

    def _check_pace(self, digest: bytes, now: float) -> None:
        """Raise DeviceLoginFault for a program that asks too often."""
        pace = self._polling.get(digest) or _Polling()
        is_early, pace.asked = now - pace.asked < pace.interval - 0.5, now
        pace.interval += SLOWER_S if is_early else 0
        self._polling.put(digest, pace)
        if is_early:
            raise DeviceLoginFault("slow_down", f"Ask every {pace.interval} seconds at most.")

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


def clean_name(given: str) -> str:
    """Return the name that a program gives itself, in the characters that the name of a key may have."""
    return re.sub(r"[^\w .@+-]|^\W+", "", given)[:MAX_NAME_CHARS].strip(" .@+-")


def show_code(user_code: str) -> str:
    """Return a code in two halves, as people read it."""
    return f"{user_code[: CODE_LENGTH // 2]}-{user_code[CODE_LENGTH // 2 :]}"


def _digest(device_code: str) -> bytes:
    return hashlib.sha256(device_code.encode("utf-8", "surrogatepass")).digest()


def _stored(request: DeviceRequest) -> SignInState:
    return SignInState(
        kind="device",
        person=request.owner,
        code=request.user_code,
        address=request.address,
        state=orjson.dumps(asdict(request)).decode(),
        expires=int(request.expires * 1000),
    )


def _request(state: SignInState) -> DeviceRequest:
    return DeviceRequest(**orjson.loads(state.state))


def _nobody_waits() -> NotFound:
    return NotFound("No program waits with this code; check it, or start again in the program.")


def _unknown_code() -> DeviceLoginFault:
    return DeviceLoginFault("invalid_grant", "This device_code was never given out, or has been used.")
