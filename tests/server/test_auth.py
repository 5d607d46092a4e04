from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from eclair.accounts.api_keys import ApiKeys
from eclair.errors import PortInUse, SettingsError
from eclair.server.app import respond
from eclair.server.auth import AuthMiddleware
from eclair.server.serve import serve
from eclair.settings import EngineSettings, Settings
from eclair.util.loopback import is_loopback
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
async def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org", ""])
async def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1:8642", "[::1]", "[::1]:8642", "localhost:1"])
async def test_it_answers_to_its_own_names(server: Server, host: str) -> None:
    assert (await server.get("/api/health", {"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8642",
        "127.0.0.1.evil.example",
        "localhost.",
        "192.168.1.5",
        "",
        "[",
        "[::1",
        "a b",
        "::1",
    ],
)
async def test_it_answers_to_no_other_name(server: Server, host: str) -> None:
    reply = await server.get("/api/health", {"Host": host})
    assert reply.status in (400, 403)
    if reply.status == 403:
        assert reply.error["code"] == "forbidden"
    assert (await server.get("/", {"Host": host})).status in (400, 403), "pages too"


async def test_it_answers_to_further_names(settings: Settings) -> None:
    async with serving(replace(settings, allowed_hosts=("ai.example.org",))) as server:
        assert (await server.get("/api/health", {"Host": "ai.example.org"})).status == 200
        assert (await server.get("/api/health", {"Host": "127.0.0.1"})).status == 200
        assert (await server.get("/api/health", {"Host": "example.org"})).status == 403


async def test_its_own_page_may_use_it(server: Server) -> None:
    headers = {"Origin": server.address, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert (await server.post("/api/conversations", {}, headers=headers)).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
async def test_no_other_page_may_use_it(fresh: Server, headers: dict[str, str]) -> None:
    reply = await fresh.post("/api/conversations", {}, headers=headers)
    assert reply.status == 403
    assert reply.error["code"] == "forbidden"
    assert (await fresh.get("/api/conversations")).body["conversations"] == []
    reply = await fresh.post("/v1/chat/completions", {}, headers=headers)
    assert reply.status == 403
    assert reply.error["type"] == "invalid_request_error"


async def test_a_link_from_another_page_may_lead_to_it(server: Server) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await server.get("/", headers)).status in (200, 503)


PATHS = ("/api/models", "/api/conversations", "/v1/models", "/api/nowhere")


@pytest.mark.parametrize("given", ["", "s3crêt", "Bearer", "Bearer ", "Bearer wrong", "Basic s3crêt", "Bearer s3crê"])
async def test_without_the_key_nothing_is_said(keyed: Server, given: str) -> None:
    for path in PATHS:
        reply = await keyed.get(path, {"Authorization": given} if given else None)
        assert reply.status == 401
        assert "Authorization: Bearer KEY" in reply.error["message"]
    assert (await keyed.get("/v1/models")).error["type"] == "authentication_error"


async def test_with_the_key_everything_is(keyed: Server) -> None:
    for given in ("Bearer s3crêt", "bearer s3crêt"):
        assert [(await keyed.get(path, {"Authorization": given})).status for path in PATHS] == [200, 200, 200, 404]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/api/health", "/api/models", "/api/export", "/api/web/search?q=x", "/v1/models"])
async def test_a_foreign_page_opens_no_interface(server: Server, path: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert (await server.get(path, headers)).status == 403


async def test_health_without_the_key_says_the_status_alone(keyed: Server) -> None:
    reply = await keyed.get("/api/health")
    assert (reply.status, reply.body) == (200, {"status": "ready"})
    known = (await keyed.get("/api/health", {"Authorization": "Bearer s3crêt"})).body
    assert known["status"] == "ready"
    assert known["engines"]["scripted"]["state"] == "ready"


async def test_health_without_the_key_calls_no_server(settings: Settings, tmp_path: Path) -> None:
    server_url = "http://name:passw0rd@127.0.0.1:9/v1"  # nobody listens there
    remote = {"remote": EngineSettings(url=server_url)}
    async with serving(replace(settings, api_key="s3crêt", engines=remote, scripted=False)) as server:
        headers = {"Authorization": "Bearer s3crêt"}
        shown = await server.get("/api/health", headers)
        assert (shown.status, shown.body["engines"]["remote"]["state"]) == (503, "down")
        assert b"passw0rd" not in shown.raw
        before = await count_calls(server)
        assert (await server.get("/api/health")).body == {"status": "down"}
        assert await count_calls(server) == before


async def count_calls(server: Server) -> int:
    """The number of rows of outgoing calls."""
    return len((await server.get("/api/egress", {"Authorization": "Bearer s3crêt"})).body["calls"])


@pytest.mark.parametrize(
    "path", ["/%61pi/models", "/api/%6dodels", "/api//models", "//api/models", "/v1/../api/models"]
)
async def test_no_way_around_the_key(keyed: Server, path: str) -> None:
    from yarl import URL

    async with keyed.http.get(URL(keyed.address + path, encoded=True)) as response:
        assert response.status in (401, 404)


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-For": "192.0.2.7"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=192.0.2.7"},
        {"X-Real-IP": "192.0.2.7"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_what_a_proxy_forwards_needs_a_key(server: Server, keyed: Server, header: dict[str, str]) -> None:
    for method, path in (("GET", "/api/conversations"), ("DELETE", "/api/conversations"), ("GET", "/")):
        reply = await server.call(method, path, headers=header)
        assert (reply.status, reply.error["code"]) == (403, "forbidden")
    assert "ECLAIR_API_KEY" in (await server.get("/api/models", header)).error["message"]
    assert (await keyed.get("/api/models", {**header, "Authorization": "Bearer s3crêt"})).status == 200
    assert (await keyed.get("/api/models", header)).status == 401


async def test_a_public_name_needs_a_key(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", allowed_hosts=("localhost", "ai.example.org"), port=0, embedded=False
    )
    with pytest.raises(SettingsError, match=r"ai\.example\.org, so a key is needed; .*ECLAIR_API_KEY, or take"):
        await serve(settings, lambda _: None)
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
async def test_an_open_address_needs_a_key(tmp_path: Path, host: str) -> None:
    settings = Settings(data_dir=tmp_path / "data", host=host, port=0, embedded=False)
    with pytest.raises(SettingsError, match="ECLAIR_API_KEY"):
        await serve(settings, lambda _: None)
    assert not (tmp_path / "data").exists(), "nothing was begun"


async def test_a_port_in_use_says_who_holds_it(server: Server, settings: Settings) -> None:
    port = int(server.address.rsplit(":", 1)[1])
    with pytest.raises(PortInUse, match=rf"Port {port} is in use"):
        await serve(replace(settings, port=port), lambda _: None)


async def test_an_address_that_is_not_ours(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1 isn't an address of this machine"):
        await serve(replace(settings, host="192.0.2.1", api_key="k" * 24), lambda _: None)


async def test_replies_with_text_of_a_model_say_so(server: Server) -> None:
    id = await server.begin()
    await server.say(id, "script: say=Yes.")
    asked = {"model": "scripted", "messages": [{"role": "user", "content": "script: say=Yes."}]}
    told = [
        *[await server.post("/v1/chat/completions", {**asked, "stream": stream}) for stream in (False, True)],
        await server.post("/v1/messages", {**asked, "max_tokens": 9}),
        *[await server.get(f"/api/conversations/{id}{more}") for more in ("", "/export?format=html")],
    ]
    for reply in told:
        assert (reply.status, reply.headers["AI-Disclosure"]) == (200, "mode=machine-generated")
    for path in ("/v1/models", "/api/health", "/api/conversations/none", "/v1/chat/completions"):
        assert "AI-Disclosure" not in (await server.get(path)).headers


@pytest.mark.parametrize("path", ["/api/conversations", "/api/nowhere", "/v1/models", "/api/shared/none"])
async def test_replies_are_neither_kept_nor_guessed_at_nor_embedded(server: Server, keyed: Server, path: str) -> None:
    for reply in (await server.get(path), await keyed.get(path), await server.get(path, {"Host": "evil.example"})):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"


async def test_no_other_protocol_gets_past_the_guard(server: Server) -> None:
    reached: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    keys = ApiKeys(server.app.storage.api_keys)
    house = server.app
    guard = AuthMiddleware(
        app,
        settings=house.live_settings,
        keys=keys,
        principals=house.accounts.principals,
        audit=house.storage.audit,
        session=None,
        limits=house.limits,
        respond=respond,
    )
    for kind in ("websocket", "webtransport", "lifespan"):
        await guard({"type": kind, "path": "/api/conversations", "headers": []}, receive, send)
    assert reached == ["lifespan"]
    assert sent == [{"type": "websocket.close", "code": 1008}] * 2
