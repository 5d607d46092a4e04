"""Pending sign-ins: people who have shown who they are, and whose second step is still missing. Kept in memory."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Literal

from eclair.errors import SignInExpired
from eclair.schema.ids import Clock
from eclair.util.lru import LruCache

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
    ends: float


@dataclass(frozen=True, slots=True)
class MissingStep:
    """The step that a sign-in lacks, and the secret by which its browser goes on with it."""

    step: SecondStep
    secret: str


class PendingSignIns:
    """The pending sign-ins by the secret of their browser."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._held: LruCache[str, PendingSignIn] = LruCache(MAX_PENDING)

    def add(self, person: str, step: SecondStep, issuer: str | None, provider_session: str | None) -> MissingStep:
        secret = secrets.token_urlsafe(32)
        self._held.put(secret, PendingSignIn(person, step, issuer, provider_session, self._clock() + PENDING_S))
        return MissingStep(step, secret)

    def find(self, secret: str) -> PendingSignIn | None:
        """Return a sign-in; None for one that has ended."""
        found = self._held.get(secret)
        return None if found is None or found.ends <= self._clock() else found

    def require(self, secret: str, step: SecondStep) -> PendingSignIn:
        """Return a sign-in that lacks a step. Raises SignInExpired."""
        found = self.find(secret)
        if found is None or found.step != step:
            raise SignInExpired("This sign-in took too long; sign in again.")
        return found

    def remove(self, secret: str) -> None:
        self._held.remove(secret)
