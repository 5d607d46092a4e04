"""Passkeys: made and used as a device does, and refused where anything about them is wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from eclair.settings import Settings
from tests.server.test_accounts import PASSWORD, Headers, browser, member, set_up
from tests.support import JSON, Reply, Server, serving

PRESENT, VERIFIED, ATTESTED = 1, 4, 0x40


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Device:
    """An authenticator that holds one key. Each of its facts can be made wrong."""

    origin: str
    host: str = "127.0.0.1"
    flags: int = PRESENT | VERIFIED
    signatures: int = 0
    credential: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: JSON) -> JSON:
        """Return a new passkey for what the server asks."""
        numbers = self.key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cbor2.dumps(key)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested})
        client = self._client("webauthn.create", options)
        return self._reply({"clientDataJSON": encoded(client), "attestationObject": encoded(attestation)})

    def sign(self, options: JSON) -> JSON:
        """Return a signature of what the server asks."""
        self.signatures += 1
        data, client = self._data(), self._client("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._reply(
            {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(signature),
            }
        )

    def _data(self, more_flags: int = 0) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([self.flags | more_flags]) + self.signatures.to_bytes(4, "big")

    def _client(self, type: str, options: JSON) -> bytes:
        return json.dumps({"type": type, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _reply(self, response: JSON) -> JSON:
        id = encoded(self.credential)
        return {"id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {}}


async def asked(server: Server, path: str, headers: Headers | None = None, **body: Any) -> JSON:
    reply = await server.post(path, body, headers=headers)
    assert reply.status == 200, reply
    options: JSON = reply.body["options"]
    return options


async def added(server: Server, headers: Headers, device: Device, name: str = "Phone") -> Reply:
    options = await asked(server, "/api/me/passkeys/options", headers, password=PASSWORD)
    body = {"name": name, "credential": device.make(options)}
    return await server.post("/api/me/passkeys", body, headers=headers)


async def signed_in(server: Server, device: Device) -> Reply:
    options = await asked(server, "/api/session/passkey/options")
    return await server.post("/api/session/passkey", {"credential": device.sign(options)})


async def test_a_passkey_signs_its_person_in_until_it_is_removed(house: Server) -> None:
    headers = await set_up(house)
    device = Device(house.address)
    made = await added(house, headers, device)
    assert (made.status, made.body["name"], made.body["used"]) == (201, "Phone", None)
    reply = await signed_in(house, device)
    assert reply.status == 204, reply
    assert (await house.get("/api/me", browser(reply.headers["Set-Cookie"]))).body["name"] == "ada"
    (listed,) = (await house.get("/api/me/passkeys", headers)).body["passkeys"]
    assert listed["used"] is not None
    assert (await house.call("DELETE", f"/api/me/passkeys/{listed['id']}", headers=headers)).status == 204
    reply = await signed_in(house, device)
    assert (reply.status, reply.body["error"]["code"]) == (401, "passkey_refused")


WRONG: dict[str, Callable[[Device], None]] = {
    "another site": lambda device: setattr(device, "origin", "https://evil.example"),
    "another host": lambda device: setattr(device, "host", "evil.example"),
    "nobody verified": lambda device: setattr(device, "flags", PRESENT),
    "another key": lambda device: setattr(device, "key", ec.generate_private_key(ec.SECP256R1())),
    "a copied device": lambda device: setattr(device, "signatures", 0),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_passkey_is_refused_that_is_not_all_right(house: Server, wrong: str) -> None:
    headers = await set_up(house)
    device = Device(house.address, signatures=5)
    assert (await added(house, headers, device)).status == 201
    WRONG[wrong](device)
    reply = await signed_in(house, device)
    assert (reply.status, reply.body["error"]["code"]) == (401, "passkey_refused"), wrong


@pytest.mark.parametrize("wrong", ["another site", "another host", "nobody verified"])
async def test_no_passkey_is_made_that_is_not_all_right(house: Server, wrong: str) -> None:
    headers = await set_up(house)
    device = Device(house.address)
    WRONG[wrong](device)
    assert (await added(house, headers, device)).status == 401
    assert (await house.get("/api/me/passkeys", headers)).body["passkeys"] == []


async def test_a_challenge_counts_once_and_for_what_it_was_made(house: Server) -> None:
    headers = await set_up(house)
    device = Device(house.address)
    options = await asked(house, "/api/me/passkeys/options", headers, password=PASSWORD)
    body = {"name": "Phone", "credential": device.make(options)}
    assert (await house.post("/api/me/passkeys", body, headers=headers)).status == 201
    replayed = await house.post("/api/me/passkeys", body, headers=headers)
    assert replayed.body["error"]["code"] == "sign_in_expired"
    signed = device.sign(await asked(house, "/api/session/passkey/options"))
    assert (await house.post("/api/session/passkey", {"credential": signed})).status == 204
    replayed = await house.post("/api/session/passkey", {"credential": signed})
    assert replayed.body["error"]["code"] == "sign_in_expired"
    other = device.sign(await asked(house, "/api/me/passkeys/options", headers, password=PASSWORD))
    reply = await house.post("/api/session/passkey", {"credential": other})
    assert reply.body["error"]["code"] == "sign_in_expired"


async def test_adding_a_passkey_takes_the_password_and_signing_in_an_open_account(house: Server) -> None:
    admin = await set_up(house)
    refused = await house.post("/api/me/passkeys/options", {"password": "not it"}, headers=admin)
    assert refused.body["error"]["code"] == "wrong_credentials"
    id, headers = await member(house, admin)
    device = Device(house.address)
    assert (await added(house, headers, device)).status == 201
    await house.call("PATCH", f"/api/people/{id}", {"locked": True}, headers=admin)
    reply = await signed_in(house, device)
    assert (reply.status, reply.body["error"]["code"]) == (403, "account_locked")


@pytest.mark.parametrize("credential", [{}, {"id": "x"}, {"id": 5, "response": {"clientDataJSON": "e30"}}])
async def test_what_is_no_credential_is_refused(house: Server, credential: JSON) -> None:
    await set_up(house)
    reply = await house.post("/api/session/passkey", {"credential": credential})
    assert (reply.status, reply.body["error"]["code"]) == (401, "passkey_refused")
