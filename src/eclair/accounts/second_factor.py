"""Second factors: the codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from urllib.parse import quote

from eclair.errors import Conflict, InvalidInput
from eclair.schema.ids import Clock
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.storage.people import PeopleStore
from eclair.storage.secrets import Vault

ISSUER = "Éclair"
SECRET_BYTES = 20
STEP_S = 30
DIGITS = 6
ALLOWED_STEPS = 1
"""Steps by which a clock may be wrong, before and after."""
RECOVERY_CODES = 10

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class NewSecondFactor:
    """A secret for an authenticator: in letters to type, and as the address that a QR code holds."""

    secret: str
    uri: str


class SecondFactors:
    """The second factors in a storage."""

    def __init__(self, store: PeopleStore, vault: Vault, clock: Clock = time.time) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    async def is_on(self, person: str) -> bool:
        found = await self._store.get_second_factor(person)
        return found is not None and found.confirmed is not None

    async def prepare(self, principal: Principal, person: Person) -> NewSecondFactor:
        """Make a secret, which counts once `confirm` has seen a code of it. Raises Conflict if one counts already."""
        if await self.is_on(person.id):
            raise Conflict("Two-step sign-in is on already; turn it off first.")
        secret = base64.b32encode(os.urandom(SECRET_BYTES)).decode()
        await self._store.set_second_factor(principal, person.id, self._vault.encrypt(secret, _place(person.id)))
        label = quote(f"{ISSUER}:{person.name}")
        uri = f"otpauth://totp/{label}?secret={secret}&issuer={quote(ISSUER)}&digits={DIGITS}&period={STEP_S}"
        return NewSecondFactor(secret, uri)

    async def confirm(self, principal: Principal, person: Person, code: str) -> list[str]:
        """Turn two-step sign-in on by a code of the authenticator, and return recovery codes. Raises InvalidInput."""
        found = await self._store.get_second_factor(person.id)
        if found is None or found.confirmed is not None:
            raise Conflict("Begin setting up two-step sign-in first.")
        if not await self._takes_code(person.id, code):
            raise InvalidInput("This code is wrong or has passed; enter the one that shows now.", param="code")
        recovery = ["-".join(_letters(5) for _ in range(2)) for _ in range(RECOVERY_CODES)]
        await self._store.confirm_second_factor(principal, person.id, [_digest(each) for each in recovery])
        return recovery

    async def takes(self, person: str, code: str) -> bool:
        """Tell whether a code is right, of the authenticator or for recovery; each counts once."""
        return await self._takes_code(person, code) or await self._store.use_recovery_code(person, _digest(code))

    async def remove(self, principal: Principal, person: str) -> None:
        await self._store.set_second_factor(principal, person, None)

    async def _takes_code(self, person: str, code: str) -> bool:
        found = await self._store.get_second_factor(person)
        code = "".join(code.split())
        if found is None or len(code) != DIGITS or not code.isascii() or not code.isdecimal():
            return False
        secret = base64.b32decode(self._vault.decrypt(found.secret, _place(person)))
        now = int(self._clock()) // STEP_S
        for step in range(now - ALLOWED_STEPS, now + ALLOWED_STEPS + 1):
            if step > found.used and secrets.compare_digest(totp(secret, step), code):
                return await self._store.use_second_factor(person, step)
        return False


def totp(secret: bytes, step: int) -> str:
    """Return the code of a time step."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    return TOTP(secret, DIGITS, SHA1(), STEP_S).generate(step * STEP_S).decode()  # noqa: S303


def _place(person: str) -> str:
    return f"second factor of {person}"


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _digest(code: str) -> bytes:
    """Return the SHA-256 of a recovery code, however it was typed; it has 50 random bits."""
    return hashlib.sha256("".join(code.upper().replace("-", "").split()).encode("utf-8", "surrogatepass")).digest()
