"""Limits of one client: connections, requests at a time and a minute; and what is logged of those refused."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from starlette.datastructures import Headers

from eclair.accounts.person_limits import PersonLimits
from eclair.errors import TooBusy
from eclair.live_settings import LiveSettings
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server import client_address, http_server
from eclair.server.client_address import ClientAddresses
from eclair.server.client_limits import ClientLimits
from eclair.server.connection_limit import ConnectionLimit
from eclair.settings import Settings
from eclair.util.rare_log import RareLog
from tests.server.test_http_protocol import GET, connected, refused
from tests.support import Process, Server, serving

KEY = "a-key-of-more-than-24-characters"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "script: say=x"}], "max_tokens": 10}


def via(address: str) -> dict[str, str]:
    """The headers of a request that a proxy of this machine forwards."""
    return {"X-Forwarded-For": address, "x-api-key": KEY}


@pytest.fixture
async def limited(settings: Settings) -> AsyncGenerator[Server]:
    limits = replace(settings, api_key=KEY, client_requests_per_minute=3, max_client_connections=2)
    async with serving(limits) as server:
        yield server


async def test_more_than_so_many_a_minute_are_refused(limited: Server, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert (await limited.post("/api/conversations", {}, headers=via("192.0.2.7"))).status == 201
    for path in ("/api/conversations", "/v1/chat/completions", "/v1/messages"):
        reply = await limited.post(path, CHAT if path.startswith("/v1") else {}, headers=via("192.0.2.7"))
        wait = reply.headers["Retry-After"]
        assert reply.status == 429
        assert 1 <= int(wait) <= 20, "less by the time that has passed since"
        assert reply.error["message"] == (
            f"You ask more than 3 times a minute; wait {wait} s (ECLAIR_CLIENT_REQUESTS_PER_MINUTE)."
        )
    assert (await limited.get("/api/conversations", via("192.0.2.7"))).status == 200, "reading has no rate"
    assert (await limited.post("/api/conversations", {}, headers=via("192.0.2.8"))).status == 201
    lines = [line for line in caplog.messages if "192.0.2.7" in line]
    assert lines == ["Refused requests of 192.0.2.7: more than 3 a minute."]


async def test_this_machine_has_no_rate(limited: Server) -> None:
    for headers in ({"x-api-key": KEY}, via("127.0.0.1"), via("::1")):
        replies = [await limited.post("/v1/chat/completions", CHAT, headers=headers) for _ in range(8)]
        assert {reply.status for reply in replies} == {200}


async def test_more_than_so_many_at_a_time_are_refused(limited: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            stream = await stack.enter_async_context(limited.open("/api/changes", via("192.0.2.7")))
            assert stream.status == 200
        reply = await limited.get("/api/models", via("192.0.2.7"))
        assert (reply.status, reply.headers["Retry-After"]) == (429, "10")
        assert "ECLAIR_MAX_CLIENT_CONNECTIONS" in reply.error["message"]
        assert (await limited.get("/api/models", via("192.0.2.8"))).status == 200
        assert (await limited.get("/api/models", {"x-api-key": KEY})).status == 200
    for _ in range(100):  # until the server has noticed that they have gone
        if (reply := await limited.get("/api/models", via("192.0.2.7"))).status == 200:
            break
        await asyncio.sleep(0.05)
    assert reply.status == 200


async def test_one_address_may_hold_so_many_connections(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_nowhere(address: str) -> bool:
        return address == ""

    monkeypatch.setattr(client_address, "is_loopback", is_nowhere)
    async with serving(replace(settings, max_client_connections=3)) as server, contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        for _ in range(2):
            late = await stack.enter_async_context(connected(server))
            await late.send(GET + b"\r\n")
            assert refused(await late.reply(), 429)
        await held[0].send(GET + b"\r\n")
        assert (await held[0].reply())[0] == 200
    assert [line for line in caplog.messages if "Refused connections" in line] == [
        "Refused connections of 127.0.0.1: it has 3 open, the limit."
    ]


def test_an_allowance_fills_up_again_and_is_each_keys_own(settings: Settings) -> None:
    now = 0.0
    live = LiveSettings(replace(settings, client_requests_per_minute=60))
    limits = ClientLimits(live, PersonLimits(live), clock=lambda: now)
    scope = {"method": "POST", "path": "/api/answers"}

    def passes(principal: Principal = LOCAL_PRINCIPAL) -> bool:
        try:
            limits.charge("192.0.2.7", principal, scope)
        except TooBusy:
            return False
        return True

    assert [passes() for _ in range(61)] == [True] * 60 + [False]
    assert passes(Principal("local", "key_of_another"))
    now = 1.0
    assert [passes(), passes()] == [True, False]
    now = 1000.0
    assert [passes() for _ in range(61)] == [True] * 60 + [False]
    live.apply(live.plan_change(replace(settings, client_requests_per_minute=0)))
    assert passes()


async def test_silent_connections_of_one_address_shut_nobody_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 400)
    addresses = ClientAddresses([])
    named = iter(["192.0.2.7"] * 140 + ["192.0.2.8"])

    def find_client(limit: ConnectionLimit, address: str) -> str:
        assert addresses.is_proxy(address)
        return next(named)

    monkeypatch.setattr(ConnectionLimit, "find_client", find_client)
    async with serving(replace(settings, max_client_connections=100)) as server, contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(server)) for _ in range(140)]
        assert await held[-1].is_closed(), "8 of them are closed unheard"
        other = await stack.enter_async_context(connected(server))
        await other.send(GET + b"\r\n")
        assert (await other.reply())[0] == 200


def test_no_client_takes_more_than_half_of_all_connections(settings: Settings) -> None:
    limit = ConnectionLimit(10, LiveSettings(settings))
    assert [limit.admit("192.0.2.7") for _ in range(5)] == [None] * 5
    status, sentence = limit.admit("192.0.2.7") or (0, "")
    assert (status, "5 connections" in sentence) == (429, True)
    assert [limit.admit(None) for _ in range(5)] == [None] * 5
    status, sentence = limit.admit("192.0.2.8") or (0, "")
    assert (status, "as many open connections as it can hold" in sentence) == (503, True)
    limit.release("192.0.2.7")
    assert limit.admit("192.0.2.7") is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", ["198.51.100.9"], "192.0.2.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.5, 198.51.100.9"], "198.51.100.9"),
        ("127.0.0.1", ["203.0.113.5", "198.51.100.9"], "198.51.100.9"),
        ("10.0.0.7", ["198.51.100.9"], "198.51.100.9"),
        ("127.0.0.1", ["203.0.113.5, 198.51.100.9, 10.0.0.7"], "198.51.100.9"),
        ("10.0.0.7", ["10.0.0.8"], "10.0.0.8"),
        ("10.0.0.7", [" , "], "10.0.0.7"),
        ("2001:db8::7", ["198.51.100.9"], "2001:db8::7"),
        ("127.0.0.1", ["rubbish"], "rubbish"),
    ],
)
def test_the_client_behind_proxies_is_found(peer: str, forwarded: list[str], found: str) -> None:
    headers = Headers(raw=[(b"x-forwarded-for", value.encode()) for value in forwarded])
    assert ClientAddresses(["10.0.0.0/24"]).find({"client": (peer, 1)}, headers) == found


def test_one_line_a_minute_counts_the_others(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    rare = RareLog(logging.getLogger("eclair.test"), clock=lambda: now)
    for _ in range(1000):
        rare.warn("a", "It happened.")
    rare.warn("b", "So did that.")
    now = 60.0
    rare.warn("a", "It happened.")
    assert caplog.messages == ["It happened.", "So did that.", "It happened. (999 more since the last line)"]


async def test_running_out_of_files_is_logged(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    if sys.platform != "linux":  # elsewhere no other process's limits can be set
        return
    server = await Process.start(tmp_path, http)
    try:
        pid = server.process.pid
        assert pid is not None
        assert (await server.get("/api/models")).status == 200
        first, last = "New connections are dropped: no more than", "Files and connections can be opened again."
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        await logged(tmp_path, first)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        await logged(tmp_path, last)
        assert (await server.get("/api/models")).status == 200
    finally:
        await server.close()


async def logged(folder: Path, words: str) -> None:
    for _ in range(600):
        if words in (folder / "server.log").read_text():
            return
        await asyncio.sleep(0.05)
    raise AssertionError((folder / "server.log").read_text())
