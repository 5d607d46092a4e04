"""Passkeys (WebAuthn): a device signs that its owner is here, by a key that never leaves it and works on no other site.

A passkey stands for both steps of signing in: the device asks for a finger, a face or its own code.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import orjson

from eclair.errors import Conflict, InvalidInput, PasskeyRefused, SignInExpired
from eclair.schema.ids import Clock, new_id
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.storage.passkeys import Passkey, PasskeyStore
from eclair.storage.sign_in_states import SignInState, SignInStateStore

HOUSE = "Éclair"
CHALLENGE_BYTES = 32
CHALLENGE_LASTS_S = 300
MAX_CHALLENGES = 10_000
MAX_PASSKEYS = 20
MAX_NAME_CHARS = 60
MAX_CREDENTIAL_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Site:
    """The site at which passkeys are made and used: its origin, and the host that they are bound to."""

    origin: str
    host: str


class Passkeys:
    """The passkeys in a storage. A challenge counts once, for five minutes."""

    def __init__(self, store: PasskeyStore, states: SignInStateStore, clock: Clock) -> None:
        self._store = store
        self._states = states
        self._clock = clock

    async def list_passkeys(self, person: str) -> list[Passkey]:
        return await self._store.list_passkeys(person)

    async def begin_adding(self, person: Person, site: Site) -> dict[str, Any]:
        """Return what a browser needs to make a passkey. Raises Conflict for too many."""
        from webauthn import generate_registration_options
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        known = await self._store.list_passkeys(person.id)
        if len(known) >= MAX_PASSKEYS:
            raise Conflict(f"An account has at most {MAX_PASSKEYS} passkeys; remove one first.")
        options = generate_registration_options(
            rp_id=site.host,
            rp_name=HOUSE,
            user_id=hashlib.sha256(person.id.encode()).digest(),
            user_name=person.name,
            user_display_name=person.display_name,
            challenge=await self._challenge(person.id),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential) for each in known],
        )
        return _plain(options)

    async def add(
        self, principal: Principal, person: Person, name: str, credential: dict[str, Any], site: Site
    ) -> Passkey:
        """Keep a passkey that a browser has made. Raises InvalidInput, Conflict, SignInExpired, PasskeyRefused."""
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise InvalidInput(f"A passkey's name is 1 to {MAX_NAME_CHARS} characters on one line.", param="name")
        challenge = await self._take_challenge(credential, person.id)
        try:
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PasskeyRefused from error
        passkey = Passkey(
            id=new_id("passkey", self._clock),
            person=person.id,
            credential=verified.credential_id,
            public_key=verified.credential_public_key,
            signatures=verified.sign_count,
            name=name,
            created=int(self._clock() * 1000),
        )
        await self._store.add_passkey(principal, passkey)
        return passkey

    async def begin_signing_in(self, site: Site) -> dict[str, Any]:
        """Return what a browser needs to sign in with a passkey, whosever it is."""
        from webauthn import generate_authentication_options
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=site.host,
            challenge=await self._challenge(None),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _plain(options)

    async def identify(self, credential: dict[str, Any], site: Site) -> str:
        """Return the id of the person whose passkey signed. Raises SignInExpired and PasskeyRefused."""
        from webauthn import base64url_to_bytes, verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        challenge = await self._take_challenge(credential, None)
        try:
            passkey = await self._store.find_passkey(base64url_to_bytes(str(credential["id"])[:MAX_CREDENTIAL_CHARS]))
            if passkey is None:
                raise PasskeyRefused
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.signatures,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PasskeyRefused from error
        today = date.fromtimestamp(self._clock()).isoformat()
        if not await self._store.use_passkey(passkey.id, verified.new_sign_count, today):
            raise PasskeyRefused
        return passkey.person

    async def remove(self, principal: Principal, person: str, id: str) -> None:
        """Delete a passkey of a person. Raises NotFound."""
        await self._store.delete_passkey(principal, person, id)

    async def _challenge(self, person: str | None) -> bytes:
        """Make a challenge for a person who adds a passkey, or for whoever signs in."""
        challenge = os.urandom(CHALLENGE_BYTES)
        now = int(self._clock() * 1000)
        state = SignInState(kind="challenge", person=person, state="{}", expires=now + CHALLENGE_LASTS_S * 1000)
        await self._states.add_sign_in_state(hashlib.sha256(challenge).digest(), state, now, MAX_CHALLENGES)
        return challenge

    async def _take_challenge(self, credential: dict[str, Any], person: str | None) -> bytes:
        """Return the challenge that a credential answers, which counts once. Raises SignInExpired."""
        from webauthn import base64url_to_bytes

        try:
            client_data = orjson.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
            challenge = base64url_to_bytes(client_data["challenge"])
        except (ValueError, KeyError, TypeError) as error:
            raise PasskeyRefused from error
        held = await self._states.take_sign_in_state(hashlib.sha256(challenge).digest())
        if held is None or (held.kind, held.person) != ("challenge", person) or held.expires < self._clock() * 1000:
            raise SignInExpired("This took too long; try again.")
        return challenge


def _plain(options: Any) -> dict[str, Any]:
    """Return options as JSON has them."""
    from webauthn import options_to_json

    return cast("dict[str, Any]", orjson.loads(options_to_json(options)))
