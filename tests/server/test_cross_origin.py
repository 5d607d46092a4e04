"""Pages of other origins: with `cors_origins` and a key they may use the API, and without either they may not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from eclair.accounts.api_keys import ApiKeys
from eclair.errors import SettingsError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings, load
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "https://app.example.org"
APP = "app://obsidian.md"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "script: words=3"}]}


@pytest_asyncio.fixture(loop_scope="module")
async def open_server(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, cors_origins=(PAGE, APP))) as server:
        yield server


async def key_of(server: Server) -> str:
    return (await ApiKeys(server.app.storage.api_keys).add(LOCAL_PRINCIPAL, "app")).secret


async def preflight(server: Server, origin: str, path: str = "/v1/chat/completions") -> Any:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-lang",
        "Sec-Fetch-Site": "cross-site",
    }
    return await server.call("OPTIONS", path, headers=asked)


@pytest.mark.parametrize("origin", [PAGE, APP])
async def test_a_named_origin_uses_the_api_with_a_key(open_server: Server, origin: str) -> None:
    asked = await preflight(open_server, origin)
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Headers"] == "authorization, content-type, x-stainless-lang"
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in asked.headers
    sent = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    without = await open_server.post("/v1/chat/completions", CHAT, headers=sent)
    assert without.status == 401, "neither the account nor a cookie counts"
    assert without.headers["Access-Control-Allow-Origin"] == origin, "the page may read why"
    key = await key_of(open_server)
    for given in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}, {"api-key": key}):
        reply = await open_server.post("/v1/chat/completions", CHAT, headers={**sent, **given})
        assert reply.status == 200
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert "x-request-id" in reply.headers["Access-Control-Expose-Headers"]
        assert reply.headers["Vary"] == "Origin"
    wrong = await open_server.post("/v1/chat/completions", CHAT, headers={**sent, "x-api-key": "wrong"})
    assert wrong.status == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example", f"{PAGE}:8"])
async def test_another_origin_may_not(open_server: Server, origin: str) -> None:
    asked = await preflight(open_server, origin)
    assert asked.status == 403
    assert "Access-Control-Allow-Origin" not in asked.headers
    reply = await open_server.post("/v1/chat/completions", CHAT, headers={"Origin": origin})
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
    assert "cors_origins" in reply.error["message"]


async def test_a_named_origin_may_not_use_pages_nor_another_name(open_server: Server) -> None:
    assert (await open_server.get("/", {"Origin": PAGE})).status == 403
    assert (await preflight(open_server, PAGE, "/settings")).status == 403
    headers = {"Origin": PAGE, "Host": "evil.example"}
    assert (await open_server.call("OPTIONS", "/v1/models", headers=headers)).status == 403


async def test_any_origin_is_all_but_the_opaque_one(settings: Settings) -> None:
    async with serving(replace(settings, cors_origins=("*",))) as server:
        assert (await preflight(server, "https://any.example")).status == 204
        assert (await preflight(server, "null")).status == 403
        assert (await server.get("/v1/models", {"Origin": "https://any.example"})).status == 401
    async with serving(replace(settings, cors_origins=("null",))) as server:
        assert (await preflight(server, "null")).headers["Access-Control-Allow-Origin"] == "null"


async def test_health_is_open_to_named_origins(open_server: Server) -> None:
    reply = await open_server.get("/api/health", {"Origin": PAGE})
    assert reply.status == 200
    assert set(reply.body) == {"status"}


async def test_a_page_in_the_network_may_ask_for_this_machine(open_server: Server) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"}
    reply = await open_server.call("OPTIONS", "/v1/models", headers=asked)
    assert reply.headers["Access-Control-Allow-Private-Network"] == "true"


@pytest.mark.parametrize("value", ["app.example.org", "https://app.example.org/path", "https://*.example.org/", ""])
async def test_what_is_no_origin_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "eclair.toml").write_text(f'cors_origins = ["{value}"]\n')
    with pytest.raises(SettingsError, match="cors_origins"):
        load({"ECLAIR_CONFIG": str(tmp_path / "eclair.toml")})
