"""Éclair under a path and behind a public address: links, redirects, cookies, names and origins follow it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from eclair.errors import SettingsError
from eclair.server import peer
from eclair.server import serve as serving_module
from eclair.server.serve import serve
from eclair.settings import Settings
from tests.reverse_proxy import proxied
from tests.support import Door, Server, served_in_process, serving

ORIGIN = "https://ai.example.org"
KEY = "a-key-of-more-than-24-characters"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
PUBLIC = {**WITH_KEY, "Host": "ai.example.org", "X-Forwarded-Proto": "https"}


@pytest.fixture
async def prefixed(settings: Settings) -> AsyncGenerator[Server]:
    """Known by a path alone."""
    async with serving(replace(settings, base_path="/assistant")) as server:
        yield server


@pytest.fixture
async def public(settings: Settings) -> AsyncGenerator[Server]:
    """Known by its public address."""
    async with serving(replace(settings, public_url=f"{ORIGIN}/assistant", api_key=KEY)) as server:
        yield server


@dataclass
class Known:
    """A server, the headers of requests to it, and the origin that it knows."""

    server: Server
    headers: dict[str, str]
    origin: str


@pytest.fixture(params=["path", "address"])
def known(request: pytest.FixtureRequest) -> Known:
    if request.param == "path":
        return Known(request.getfixturevalue("prefixed"), {}, "")
    return Known(request.getfixturevalue("public"), PUBLIC, ORIGIN)


async def test_paths_count_with_the_prefix_and_without(prefixed: Server) -> None:
    for path in ("/api/models", "/assistant/api/models", "/assistant/v1/models", "/assistant/docs", "/assistant"):
        assert (await prefixed.get(path)).status == 200, path
    for path in ("/assistants/api/models", "/other/api/models", "/assistant/assistant/api/models"):
        assert (await prefixed.get(path)).status == 404, path


@pytest.mark.parametrize("path", ["/", "/assistant/", "/assistant", "/assistant/c/conv_a", "/assistant/docs"])
async def test_pages_name_their_files_under_the_prefix(prefixed: Server, path: str) -> None:
    page = (await prefixed.get(path)).raw.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) > 2
    for name in named:
        assert name.startswith("/assistant/")
        assert (await prefixed.get(name)).status == 200
    assert 'data-base="/assistant/"' in page


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("host", [None, "127.0.0.1:8642"])
async def test_a_proxy_may_strip_the_prefix_or_pass_it_on(prefixed: Server, strips: bool, host: str | None) -> None:
    async with proxied(prefixed.address, "/assistant", strips=strips, host=host) as address:
        door = Door(address, prefixed.http)
        conversation = await door.begin()
        assert (await door.say(conversation, "script: say=under a path"))["status"] == "finished"
        assert (await door.get("/v1/models")).status == 200
        reference = (await door.get("/openapi.json")).body
        assert reference["servers"] == [{"url": "/assistant"}]


async def test_redirects_keep_the_prefix_and_name_no_scheme(known: Known) -> None:
    for path in ("/assistant/settings/?a=b", "/settings/?a=b"):
        url = known.server.address + path
        async with known.server.http.get(url, allow_redirects=False, headers=known.headers) as reply:
            assert (reply.status, reply.headers["Location"]) == (307, "/assistant/settings?a=b")


async def test_shared_links_are_those_that_others_can_open(known: Known) -> None:
    server, headers = known.server, known.headers
    begun = (await server.post("/api/conversations", {"turn": {"text": "script: say=x"}}, headers=headers)).body
    await server.stream(begun["run"], headers=headers)
    made = (await server.post(f"/api/conversations/{begun['conversation']}/shares", {}, headers=headers)).body
    assert made["url"] == f"{known.origin}/assistant/s/{made['id']}"
    listed = (await server.get("/api/shares", headers)).body["shares"]
    assert [share["url"] for share in listed] == [made["url"]]


async def test_images_are_at_the_public_address(known: Known) -> None:
    body = {"prompt": "x", "size": "64x64", "response_format": "url"}
    origin = known.origin or known.server.address
    made = await known.server.post("/v1/images/generations", body, headers=known.headers)
    address = made.body["data"][0]["url"]
    assert address.startswith(f"{origin}/assistant/api/pictures/")
    assert (await known.server.get(address.removeprefix(origin), known.headers)).status == 200


async def test_the_public_host_and_origin_are_known(public: Server) -> None:
    for host in ("ai.example.org", "ai.example.org:8443", "127.0.0.1"):
        assert (await public.get("/api/models", {**WITH_KEY, "Host": host})).status == 200
    assert (await public.get("/api/models", {**WITH_KEY, "Host": "other.example.org"})).status == 403
    own = {**WITH_KEY, "Host": "127.0.0.1:8642", "Origin": "https://ai.example.org", "Sec-Fetch-Site": "same-origin"}
    assert (await public.post("/api/conversations", {}, headers=own)).status == 201
    for origin in ("http://ai.example.org", "https://evil.example", "https://ai.example.org:444", "null"):
        assert (await public.post("/api/conversations", {}, headers={**own, "Origin": origin})).status == 403


async def test_a_public_address_needs_a_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", public_url="https://ai.example.org", port=0, embedded=False)
    with pytest.raises(SettingsError, match=r"`public_url` opens Éclair to whoever reaches ai\.example\.org"):
        await serve(settings, lambda _: None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_path": "/api"}, r"pages or interfaces of its own under /api; choose another"),
        ({"base_path": "/c/x"}, r"under /c; choose another"),
        ({"base_path": "/metrics"}, r"under /metrics"),
        (
            {"base_path": "/one", "public_url": "http://localhost/two"},
            r"`public_url` has the path /two, `base_path` is /one; make them the same",
        ),
    ],
)
async def test_a_path_that_cannot_be_is_refused_at_start(settings: Settings, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        await serve(replace(settings, **wrong), lambda _: None)  # pyright: ignore[reportArgumentType]


async def test_the_cookie_is_sent_to_the_prefix_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(connection: object) -> int:
        raise OSError("not here")

    async def cannot() -> bool:
        return False

    monkeypatch.setattr(peer, "find_peer_owner", refuse)
    monkeypatch.setattr(serving_module, "can_find_owners", cannot)
    async with (
        served_in_process(replace(settings, base_path="/assistant")) as address,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        url = urlsplit(address)
        assert (url.path, list(parse_qs(url.query))) == ("/assistant/", ["token"])
        async with http.get(address, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (303, "/assistant/")
            assert reply.cookies[f"eclair-{url.port}"]["path"] == "/assistant"
        door = Door(f"http://{url.netloc}/assistant", http)
        assert (await door.get("/api/conversations")).status == 200
