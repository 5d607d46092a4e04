from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import ResolveResult

from eclair.errors import Refused
from eclair.network.client import (
    BrokenReply,
    DownloadClient,
    HttpClient,
    OutboundGate,
    TimedOut,
    Unreachable,
    is_loopback_url,
)
from eclair.network.policy import OutboundPolicy
from tests.llm.standin import Call, cut, standing_in
from tests.network.https import Authority

SOURCE = Path(__file__).parents[2] / "src"
CLIENTS = re.compile(
    r"^\s*(?:import|from) "
    r"(aiohttp|httpx2?|httpcore2?|h2|h11|httptools|requests|urllib3|urllib\.request|http\.client|websockets)\b"
)


CONNECTS = re.compile(
    r"httpx2\.(?:Async)?(?:Client|HTTPTransport)\b|httpx2\.(?:get|post|put|patch|delete|request|stream)\("
)


def test_nothing_else_imports_an_http_client() -> None:
    doors = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if CLIENTS.match(line) and "url2pathname" not in line
    }
    names = ("client", "download_guard", "mcp_http", "response", "web_client", "web_response")
    parts = ("sign_in_flow", "sign_in_requests", "sign_in_tokens", "sign_in_transport")
    signing = {f"eclair/mcp_servers/{name}.py" for name in parts}
    assert doors == {f"eclair/network/{name}.py" for name in names} | signing
    for path in signing:  # they sign and pass on the requests of the MCP library, which `mcp_http` makes
        assert CONNECTS.search((SOURCE / path).read_text("utf-8")) is None


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://localhost.example/", False),
        ("https://10.0.0.1/", False),
        ("nonsense", False),
    ],
)
def test_what_is_this_machine(url: str, here: bool) -> None:
    assert is_loopback_url(url) is here


async def test_an_engine_is_never_followed_elsewhere() -> None:
    async with standing_in() as standin:
        standin.answers = [lambda call: call.reply(307, Location="http://127.0.0.1:9/")]
        http = HttpClient(standin.url, "secret")
        async with http.post(f"{standin.url}/x", b"{}") as reply:
            assert reply.status == 307
        await http.close()


async def test_failures_have_three_names() -> None:
    async def half(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await cut(call)

    async def nonsense(call: Call) -> None:
        await call.send(b"SSH-2.0-hello\r\n\r\n")
        await cut(call)

    async def silent(call: Call) -> None:
        await call.gone()

    async with standing_in() as standin:
        standin.routes = {"/half": half, "/cut": cut, "/nonsense": nonsense, "/silent": silent}
        http = HttpClient(standin.url, idle_timeout_s=0.1)

        async def fetch(path: str, url: str = standin.url) -> bytes:
            async with http.post(url + path, b"") as reply:
                return await reply.body(100)

        for path, fault in (
            ("/half", BrokenReply),
            ("/cut", Unreachable),
            ("/nonsense", BrokenReply),
            ("/silent", TimedOut),
        ):
            with pytest.raises(fault):
                await fetch(path)
        with pytest.raises(BrokenReply, match=r"^the connection ended too early$"):
            await fetch("/half")
        with pytest.raises(Unreachable, match="refused"):
            await fetch("/", "http://127.0.0.1:9")
        await http.close()


async def test_a_download_is_not_led_into_the_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing_in() as proxy, standing_in() as inside:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1,localhost,inside.example")
        inside.routes["/secret"] = lambda call: call.reply(200, b"secret")
        port = inside.url.rpartition(":")[2]
        downloads = DownloadClient(OutboundGate(OutboundPolicy("open")), own=("http://hub.example/",))

        async def to_here(*_: object) -> list[ResolveResult]:
            return [
                ResolveResult(hostname="x", host="127.0.0.1", port=int(port), family=socket.AF_INET, proto=0, flags=0)
            ]

        monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", to_here)
        for place in (
            f"http://127.0.0.1:{port}",
            f"http://localhost:{port}",
            f"http://inside.example:{port}",
            "http://10.0.0.5",
        ):
            proxy.routes["http://hub.example/x"] = lambda call, place=place: call.reply(302, Location=f"{place}/secret")
            with pytest.raises(Refused, match="private_addresses"):
                async with downloads.get("http://hub.example/x"):
                    pass
        assert inside.calls == []
        await downloads.close()
        own = DownloadClient(OutboundGate(OutboundPolicy("open")), own=(inside.url,))
        inside.routes["/x"] = lambda call: call.reply(302, Location="/secret")
        async with own.get(f"{inside.url}/x") as reply:
            assert await reply.body() == b"secret"
        await own.close()


async def test_a_download_never_loses_its_encryption(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: http://plain.example/x\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.context())
    port = server.sockets[0].getsockname()[1]
    downloads = DownloadClient(OutboundGate(OutboundPolicy("open")), trusted=frozenset({"127.0.0.1"}))
    with pytest.raises(Refused, match="without encryption"):
        async with downloads.get(f"https://127.0.0.1:{port}/x"):
            pass
    assert len(asked) == 1
    await downloads.close()
    server.close()


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing_in() as proxy:
        proxy.routes["http://packages.example/x"] = lambda call: call.reply(200, b"through the proxy")
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        downloads = DownloadClient(OutboundGate(OutboundPolicy("open")))
        async with downloads.get("http://packages.example/x") as reply:
            assert await reply.body(100) == b"through the proxy"
        await downloads.close()
