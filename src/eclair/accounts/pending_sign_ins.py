"""Pending sign-ins: people who have shown who they are, and whose second step is still missing."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from eclair.errors import SignInExpired
from eclair.schema.ids import Clock
from eclair.storage.sign_in_states import SignInState, SignInStateStore

PENDING_S = 600
MAX_PENDING = 10_000

SecondStep = Literal["code", "passkey", "setup"]
"""A code of the authenticator, a passkey, or setting up an authenticator where a second step is required."""


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in of `person` that lacks `step`. `issuer` and `provider_session` are the identity provider's, if any."""

    person: str
    step: SecondStep
    issuer: str | None
    provider_session: str | None


@dataclass(frozen=True, slots=True)
class MissingStep:
    """The step that a sign-in lacks, and the secret by which its browser goes on with it."""

    step: SecondStep
    secret: str


class PendingSignIns:
    """The pending sign-ins by the secret of their browser."""

    def __init__(self, store: SignInStateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, person: str, step: SecondStep, issuer: str | None, provider_session: str | None) -> MissingStep:
        secret = secrets.token_urlsafe(32)
        now = int(self._clock() * 1000)
        pending = orjson.dumps(asdict(PendingSignIn(person, step, issuer, provider_session))).decode()
        state = SignInState(kind="second step", person=person, state=pending, expires=now + PENDING_S * 1000)
        await self._store.add_sign_in_state(_digest(secret), state, now, MAX_PENDING)
        return MissingStep(step, secret)

    async def find(self, secret: str) -> PendingSignIn | None:
        """Return a sign-in; None for one that has ended."""
        found = await self._store.find_sign_in_state(_digest(secret)) if secret else None
        if found is None or found.kind != "second step" or found.expires <= self._clock() * 1000:
            return None
        return PendingSignIn(**orjson.loads(found.state))

    async def require(self, secret: str, step: SecondStep) -> PendingSignIn:
        """Return a sign-in that lacks a step. Raises SignInExpired."""
        found = await self.find(secret)
        if found is None or found.step != step:
            raise sign_in_expired()
        return found

    async def remove(self, secret: str) -> None:
        """End a sign-in, which counts once. Raises SignInExpired where it has ended meanwhile."""
        if await self._store.take_sign_in_state(_digest(secret)) is None:
            raise sign_in_expired()


def sign_in_expired() -> SignInExpired:
    return SignInExpired("This sign-in took too long; sign in again.")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
