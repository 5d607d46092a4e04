"""Who gets in: the account that runs Éclair, keys, and the owner's cookie where accounts can't be told apart."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
from dataclasses import replace
from http.cookies import SimpleCookie
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio

from eclair.accounts.api_keys import RECHECK_AFTER_S, ApiKeys
from eclair.errors import SettingsError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server import peer
from eclair.server import serve as serving_module
from eclair.server.owner_session import SESSION_FILE, OwnerSession
from eclair.server.serve import serve
from eclair.settings import Settings
from eclair.storage.open import open_storage
from tests.support import JSON, Door, Server, served_in_process, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER_UID = 65533
PRIVATE = ("/api/conversations", "/api/models", "/v1/models", "/api/nowhere")


class Stranger:
    """Another account of this machine.

    Its requests come from a process of its own, which becomes that account where the tests run as root. Elsewhere
    the server is made to believe that it runs as another account than they do.
    """

    def __init__(self, server: Server) -> None:
        self._port = int(server.address.rpartition(":")[2])

    async def get(self, path: str, headers: str = "") -> tuple[int, str]:
        reply = await asyncio.to_thread(self._ask, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}")
        head, _, body = reply.partition("\r\n\r\n")
        return int(head.split()[1]), body

    def _ask(self, request: str) -> str:
        context = multiprocessing.get_context("forkserver")
        here, there = context.Pipe()
        process = context.Process(target=ask_as, args=(OTHER_UID, self._port, request, there))
        process.start()
        there.close()
        with here:
            reply: bytes = here.recv_bytes()
        process.join()
        return reply.decode()


def ask_as(uid: int, port: int, request: str, answer: Connection) -> None:
    """Become the account, if this one may, and send the request."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    with socket.socket() as connection:  # which imports nothing: that account may not read this Python
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        reply = b""
        while data := connection.recv(65536):
            reply += data
    answer.send_bytes(reply)


@pytest_asyncio.fixture(loop_scope="module")
async def stranger(server: Server, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    if os.geteuid() != 0:
        monkeypatch.setattr(peer, "os", SimpleNamespace(geteuid=lambda: os.geteuid() + 1))
    return Stranger(server)


async def new_key(server: Server, name: str) -> str:
    return (await ApiKeys(server.app.storage.api_keys).add(LOCAL_PRINCIPAL, name)).secret


async def test_another_account_is_told_how_to_get_a_key(server: Server, stranger: Stranger) -> None:
    for path in PRIVATE:
        status, body = await stranger.get(path)
        assert (status, "`eclair key new NAME`" in body) == (401, True), body
    assert (await stranger.get("/api/conversations", "Authorization: Bearer sk-of-another-service\r\n"))[0] == 401
    assert (await stranger.get("/api/conversations", "X-Forwarded-For: 127.0.0.1\r\n"))[0] == 403
    assert (await stranger.get("/"))[0] in (200, 503), "pages hold nothing of anybody"


async def test_another_account_sees_of_health_the_status_alone(stranger: Stranger) -> None:
    assert await stranger.get("/api/health") == (200, '{"status":"ready"}')


async def test_another_account_gets_in_with_a_key(server: Server, stranger: Stranger) -> None:
    key = await new_key(server, "colleague")
    for header in (f"Authorization: Bearer {key}\r\n", f"x-api-key: {key}\r\n"):
        assert (await stranger.get("/api/conversations", header))[0] == 200
    assert (await stranger.get("/api/conversations", f"Authorization: Bearer {key[:-1]}\r\n"))[0] == 401


async def test_every_account_gets_in_where_that_is_set(settings: Settings, stranger: Stranger) -> None:
    async with serving(replace(settings, loopback_accounts="all")) as server:
        assert (await Stranger(server).get("/api/conversations"))[0] == 200


async def test_the_account_is_looked_up_once_a_connection(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def count(connection: object) -> int:
        asked.append(connection)
        return os.geteuid()

    monkeypatch.setattr(peer, "find_peer_owner", count)
    async with serving(settings) as server:
        for _ in range(5):
            assert (await server.get("/api/conversations")).status == 200
        assert (await server.get("/")).status in (200, 503)
    assert len(asked) == 1


async def test_a_key_is_refused_once_it_is_revoked(keyed: Server) -> None:
    key = await new_key(keyed, "phone")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await keyed.get("/api/conversations", headers)).status == 200
    assert (await keyed.get("/v1/models", {"x-api-key": key})).status == 200
    assert (await keyed.get("/api/conversations", {"Authorization": "Bearer s3crêt"})).status == 200
    await ApiKeys(keyed.app.storage.api_keys).revoke(LOCAL_PRINCIPAL, "phone")
    await asyncio.sleep(RECHECK_AFTER_S)
    assert (await keyed.get("/api/conversations", headers)).status == 401


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that doesn't say who connects."""

    async def refuse(connection: object) -> int:
        raise OSError("not here")

    async def cannot() -> bool:
        return False

    monkeypatch.setattr(peer, "find_peer_owner", refuse)
    monkeypatch.setattr(serving_module, "can_find_owners", cannot)


@pytest.mark.usefixtures("blind")
async def test_where_nobody_can_be_told_apart_the_printed_address_lets_in(settings: Settings) -> None:
    async with (
        served_in_process(settings) as address,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        url = urlsplit(address)
        token = parse_qs(url.query)["token"][0]
        door = Door(f"http://{url.netloc}", http)
        refused = await door.get("/api/conversations")
        assert (refused.status, "address that Éclair printed" in refused.error["message"]) == (401, True)
        async with door.http.get(f"{door.address}/?token={token[:-1]}", allow_redirects=False) as reply:
            assert reply.status in (200, 503)
            assert "Set-Cookie" not in reply.headers
        async with door.http.get(address, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (303, "/")
            cookie = SimpleCookie(reply.headers["Set-Cookie"])[f"eclair-{url.port}"]
        assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
        headers = {"Cookie": f"theme=dark; eclair-{url.port}={cookie.value}"}
        assert (await door.get("/api/conversations", headers)).status == 200
        assert (await door.get("/api/conversations", {**headers, "Origin": "http://evil.example"})).status == 403
        for wrong in (cookie.value[:-1], "", token, "\\"):
            headers = {"Cookie": f"eclair-{url.port}={wrong}"}
            assert (await door.get("/api/conversations", headers)).status == 401


async def test_the_cookie_outlives_the_server_and_the_token_does_not(tmp_path: Path) -> None:
    first, second = OwnerSession.open(tmp_path), OwnerSession.open(tmp_path)
    assert (first.cookie == second.cookie, first.token == second.token) == (True, False)
    assert (tmp_path / SESSION_FILE).stat().st_mode & 0o077 == 0
    assert first.cookie.encode() not in (tmp_path / SESSION_FILE).read_bytes()


async def test_where_accounts_are_told_apart_the_address_is_bare(settings: Settings) -> None:
    async with served_in_process(settings) as address, aiohttp.ClientSession() as http:
        assert urlsplit(address).query == ""
        assert (await Door(address, http).get("/api/conversations")).status == 200


async def test_a_made_key_is_enough_for_an_open_address(settings: Settings) -> None:
    everywhere = replace(settings, host="0.0.0.0")
    with pytest.raises(SettingsError, match="`eclair key new NAME`"):
        await serve(everywhere, lambda _: None)
    storage = open_storage(settings.data_dir)
    key = (await ApiKeys(storage.api_keys).add(LOCAL_PRINCIPAL, "phone")).secret
    await storage.close()
    async with served_in_process(everywhere) as address, aiohttp.ClientSession() as http:
        door = Door(address.replace("0.0.0.0", "127.0.0.1"), http)
        assert (await door.get("/api/conversations")).status == 401, "even of the same account"
        assert (await door.get("/api/conversations", {"Authorization": f"Bearer {key}"})).status == 200


async def test_no_route_answers_whom_nobody_knows(settings: Settings) -> None:
    """Every route there is, on a server that others can reach."""
    exposed = replace(settings, allowed_hosts=("ai.example.org",), api_key="k" * 24)
    async with serving(exposed) as server:
        paths: JSON = (await server.get("/openapi.json")).body["paths"]
        routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
        assert len(routes) > 100
        known = {route for route in routes if (await server.call(*route, data=b"{}")).status != 401}
    assert known == {
        ("GET", "/.well-known/eclair-mcp-client.json"),
        ("GET", "/.well-known/eclair-receipts.json"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/api/branding/logo"),
        ("GET", "/api/branding/style.css"),
        ("GET", "/api/health"),
        ("GET", "/api/health/live"),
        ("GET", "/api/health/ready"),
        ("GET", "/api/session"),
        ("GET", "/api/shared/{id}"),
        ("GET", "/api/shared/{id}/pictures/{picture}"),
    }
