"""Replies that only Active Directory gives, as a domain controller of Samba 4.22 sends them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from eclair.errors import IdentityMisconfigured, SignInDenied
from eclair.identity.ldap import LdapDirectory
from eclair.identity_settings import LdapSettings
from eclair.network.gate import OutboundGate

BASE = "DC=example,DC=test"
READER = "eclair@example.test"
PASSWORD = "Bind!Passw0rd"
ADA = f"CN=Ada,CN=Users,{BASE}"
BIND, SEARCH, UNBIND = 0x60, 0x63, 0x42
SUCCESS, OPERATIONS_ERROR, STRONGER_AUTH_REQUIRED, INVALID_CREDENTIALS = 0, 1, 8, 49


def ber(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 0x80 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def result(tag: int, code: int, text: str = "") -> bytes:
    return ber(tag, ber(0x0A, bytes([code])), ber(0x04), ber(0x04, text.encode()))


class DomainController:
    """Knows `ada` alone. `reader` and `searches` are the codes of its answers, `fault` the one to Ada's own bind."""

    def __init__(self, reader: int = SUCCESS, searches: int = SUCCESS, fault: str | None = None) -> None:
        self.reader = reader
        self.searches = searches
        self.fault = fault

    def answers(self, operation: int, body: bytes) -> list[bytes]:
        if operation == BIND:
            if ADA.encode() not in body:
                return [result(0x61, self.reader)]
            if self.fault is None:
                return [result(0x61, SUCCESS)]
            text = f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {self.fault}, v1db1"
            return [result(0x61, INVALID_CREDENTIALS, text)]
        guid = ber(0x30, ber(0x04, b"objectGUID"), ber(0x31, ber(0x04, bytes(range(16)))))
        entry = ber(0x64, ber(0x04, ADA.encode()), ber(0x30, guid))
        found = [entry] if self.searches == SUCCESS else []
        return [*found, result(0x65, self.searches)]

    @contextmanager
    def serving(self) -> Generator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._serve, args=(listener,))
            thread.start()
            yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"
            socket.create_connection(listener.getsockname()).close()
            thread.join()

    def _serve(self, listener: socket.socket) -> None:
        """Serve one connection inside another, until one ends without a word."""
        while True:
            connection, _ = listener.accept()
            with connection:
                message = connection.recv(4096)
                if not message:
                    return
                threading.Thread(target=self._talk, args=(connection.dup(), message)).start()

    def _talk(self, connection: socket.socket, message: bytes) -> None:
        with connection:
            while message:
                start = 2 + (message[1] & 0x7F if message[1] & 0x80 else 0)
                number = message[start : start + 2 + message[start + 1]]
                rest = message[start + len(number) :]
                if rest[0] == UNBIND:
                    return
                for answer in self.answers(rest[0], rest):
                    connection.sendall(ber(0x30, number, answer))
                message = connection.recv(4096)


def open_directory(url: str, **more: Any) -> LdapDirectory:
    values: dict[str, Any] = {"base_dn": BASE, "bind_dn": READER, "start_tls": False} | more
    settings = LdapSettings(kind="ldap", url=url, **values)
    return LdapDirectory("House", settings, PASSWORD if settings.bind_dn else None, OutboundGate())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("530", "at this hour"),
        ("531", "on some machines alone"),
        ("532", "the password has expired"),
        ("533", "is disabled"),
        ("701", "the account has expired"),
        ("773", "must be changed first"),
        ("775", "is locked"),
    ],
)
async def test_the_reason_for_which_somebody_may_not_come_in_is_told(fault: str, words: str) -> None:
    with DomainController(fault=fault).serving() as url, pytest.raises(SignInDenied, match=words):
        await open_directory(url).check("ada", "secret")


@pytest.mark.parametrize("fault", ["52e", "525", "57"])
async def test_a_wrong_password_and_an_unknown_name_are_the_same(fault: str) -> None:
    with DomainController(fault=fault).serving() as url:
        assert await open_directory(url).check("ada", "secret") is None


async def test_the_right_password_lets_in() -> None:
    with DomainController().serving() as url:
        found = await open_directory(url).check("ada", "secret")
        assert found is not None
        assert found.subject == "03020100-0504-0706-0809-0a0b0c0d0e0f"


async def test_a_directory_that_wants_more_says_what() -> None:
    with (
        DomainController(reader=STRONGER_AUTH_REQUIRED).serving() as url,
        pytest.raises(IdentityMisconfigured, match="wants an encrypted connection"),
    ):
        await open_directory(url).probe()
    with (
        DomainController(searches=OPERATIONS_ERROR).serving() as url,
        pytest.raises(IdentityMisconfigured, match="set `bind_dn`"),
    ):
        await open_directory(url, bind_dn=None).probe()
