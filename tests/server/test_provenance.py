"""`/api/marks/check`: any file in, what its marks say out; nobody needs a key, and nothing is kept."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from eclair.provenance.provenance_report import Origin
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.settings import Settings
from tests.provenance.made import encoded, malformed, marked_words, photo
from tests.support import Reply, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAW = {"Content-Type": "application/octet-stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marked(server: Server) -> bytes:
    return await server.app.provenance.mark(encoded(photo(320, 240)), Origin("created", "FLUX.1 schnell"))


async def check(server: Server, data: bytes, name: str = "boat.png", **headers: str) -> Reply:
    return await server.post(f"/api/marks/check?name={name}", data=data, headers={**RAW, **headers})


async def test_a_marked_picture(server: Server, marked: bytes) -> None:
    found = (await check(server, marked)).body
    assert (found["name"], found["media"], found["made"], found["altered"]) == (
        "boat.png",
        "image/png",
        "created",
        False,
    )
    assert (found["credentials"]["trust"], found["credentials"]["model"]) == ("own", "FLUX.1 schnell")
    assert found["metadata"]["source"] == "trainedAlgorithmicMedia"
    assert found["watermark"]["chance"] <= 1e-6


async def test_as_a_form(server: Server, marked: bytes) -> None:
    form = aiohttp.FormData()
    form.add_field("file", marked, filename="boat.png")
    async with server.http.post(f"{server.address}/api/marks/check", data=form) as response:
        found = await response.json()
    assert (response.status, found["name"], found["made"]) == (200, "boat.png", "created")


async def test_a_form_without_a_file(server: Server) -> None:
    for form in ({"other": "x"}, {"file": "x"}):
        async with server.http.post(
            f"{server.address}/api/marks/check", data=aiohttp.FormData(form, default_to_multipart=True)
        ) as response:
            assert response.status == 400
            assert (await response.json())["error"]["message"].endswith(".")


async def test_nobody_needs_a_key(keyed: Server, marked: bytes) -> None:
    found = (await check(keyed, marked)).body
    assert (found["made"], found["credentials"]["trust"]) == ("created", "unknown"), "another Éclair's"
    assert (await keyed.get("/api/marks")).status == 401


async def test_a_page_from_elsewhere_may_not(server: Server, marked: bytes) -> None:
    assert (await check(server, marked, Origin="https://evil.example")).status == 403


@pytest.mark.parametrize(("data", "status"), [(b"", 400), (b"\0\1\2", 422), (b"\x89PNG\r\n\x1a\n", 422)])
async def test_what_is_none(server: Server, data: bytes, status: int) -> None:
    reply = await check(server, data)
    assert (reply.status, reply.error["message"].startswith("boat.png")) == (status, True)


async def test_a_text_of_this_house_and_another(server: Server) -> None:
    key = WatermarkKeys.configured(server.app.settings).current()
    ours = (await check(server, marked_words(key, 60, 0.9).encode(), "")).body
    other = (await check(server, marked_words(b"o" * 32, 60, 0.9).encode(), "")).body
    assert (ours["media"], ours["text_watermark"], ours["made"]) == ("text/plain", {"state": "likely"}, None)
    assert (other["text_watermark"], other["credentials"]["state"]) == ({"state": "unknown"}, "unread")
    assert "chance" not in ours["text_watermark"], "a score would help to remove it"


async def test_malformed_pictures_do_the_server_no_harm(server: Server) -> None:
    for name, data in malformed()[:12]:
        reply = await check(server, data, name)
        assert reply.status in (200, 422)
        if reply.status == 422:
            assert reply.error["message"].startswith(name)
    assert (await server.get("/api/health")).status == 200


@pytest_asyncio.fixture(loop_scope="module")
async def strict(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, max_check_mb=1)) as server:
        yield server


async def test_what_is_too_large(strict: Server) -> None:
    for size in (1_200_000, 3_000_000):
        reply = await check(strict, bytes(size))
        assert (reply.status, "ECLAIR_MAX_CHECK_MB" in reply.error["message"]) == (413, True)


def left() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("eclair-marks-*")}


async def test_nothing_is_kept(server: Server, marked: bytes) -> None:
    before = left()
    await check(server, marked)
    await check(server, b"hello")
    assert left() <= before


async def test_the_page_is_there(server: Server) -> None:
    reply = await server.get("/made")
    assert (reply.status, b"<html" in reply.raw) == (200, True)
