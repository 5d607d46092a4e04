"""A browser that has shown a key gets a cookie in its place, which counts beside one header alone and can be ended."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.datastructures import Headers
from starlette.responses import Response

from eclair.accounts.api_keys import ApiKeys
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server.key_session import SESSION_DAYS, KeySession
from eclair.server.owner_session import SESSION_FILE
from eclair.server.session_secret import SessionSecret
from eclair.settings import Settings
from tests.support import Server, serving

SECRET = "open-sesame-and-more-of-it"
SESSION = {"Authorization": "Session"}


@pytest_asyncio.fixture
async def locked(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, api_key=SECRET)) as server:
        yield server


async def signed_in(server: Server, key: str = SECRET) -> Morsel[str]:
    """The cookie that a browser gets for a key."""
    reply = await server.post("/api/session", headers={"Authorization": f"Bearer {key}"})
    assert reply.status == 204, reply
    (morsel,) = SimpleCookie(reply.headers["Set-Cookie"]).values()
    return morsel


def sent(morsel: Morsel[str]) -> dict[str, str]:
    return {**SESSION, "Cookie": f"{morsel.key}={morsel.value}"}


async def test_a_key_is_exchanged_for_a_cookie_that_no_script_and_no_other_site_can_use(locked: Server) -> None:
    morsel = await signed_in(locked)
    assert morsel["httponly"]
    assert morsel["samesite"] == "strict"
    assert morsel["path"] == "/"
    assert int(morsel["max-age"]) == SESSION_DAYS * 86_400
    assert SECRET not in morsel.value
    assert (await locked.get("/api/conversations", sent(morsel))).status == 200
    assert (await locked.get("/v1/models", sent(morsel))).status == 200
    cookie_alone = {name: value for name, value in sent(morsel).items() if name == "Cookie"}
    assert (await locked.get("/api/conversations", cookie_alone)).status == 401, "the cookie alone is nothing"
    foreign = {**sent(morsel), "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await locked.get("/api/conversations", foreign)).status == 403
    mode = (locked.app.settings.data_dir / SESSION_FILE).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_nothing_else_begins_a_session(locked: Server) -> None:
    assert (await locked.post("/api/session", headers={"Authorization": "Bearer wrong"})).status == 401
    assert (await locked.post("/api/session")).status == 401
    assert (await locked.post("/api/session", headers=SESSION)).status == 401
    morsel = await signed_in(locked)
    assert (await locked.post("/api/session", headers=sent(morsel))).status == 400, "a session renews none"


@pytest.mark.parametrize(
    "value", ["", "x", "1.2.3", "9999999999.ab.cd", "9999999999", "²." + "0" * 64 + ".0", "9" * 300]
)
async def test_a_made_up_cookie_opens_nothing(locked: Server, value: str) -> None:
    morsel = await signed_in(locked)
    headers = {**SESSION, "Cookie": f"{morsel.key}={value}"}
    assert (await locked.get("/api/conversations", headers)).status == 401


async def test_a_cookie_cannot_be_prolonged_or_given_to_another_key(locked: Server) -> None:
    morsel = await signed_in(locked)
    until, digest, signature = morsel.value.split(".")
    for value in (f"{int(until) + 1}.{digest}.{signature}", f"{until}.{'0' * 64}.{signature}"):
        headers = {**SESSION, "Cookie": f"{morsel.key}={value}"}
        assert (await locked.get("/api/conversations", headers)).status == 401


async def test_the_session_ends_with_its_key(locked: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eclair.accounts.api_keys.RECHECK_AFTER_S", 0.0)
    keys = ApiKeys(locked.app.storage.api_keys)
    made = await keys.add(LOCAL_PRINCIPAL, "phone")
    morsel = await signed_in(locked, made.secret)
    assert (await locked.get("/api/conversations", sent(morsel))).status == 200
    await keys.revoke(LOCAL_PRINCIPAL, "phone")
    assert (await locked.get("/api/conversations", sent(morsel))).status == 401


async def test_a_browser_that_signs_out_forgets_its_cookie(locked: Server) -> None:
    morsel = await signed_in(locked)
    reply = await locked.call("DELETE", "/api/session", headers=sent(morsel))
    (ended,) = SimpleCookie(reply.headers["Set-Cookie"]).values()
    assert (ended.key, ended.value, ended["max-age"]) == (morsel.key, "", "0")


async def test_the_session_ends_with_its_time(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    sessions = KeySession(SessionSecret(Settings(data_dir=tmp_path)), lambda: now)
    response, scope = Response(), {"scheme": "https", "server": ("eclair.example", 443)}
    sessions.begin(scope, SECRET.encode(), response)
    (morsel,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert morsel["secure"]
    headers = Headers(sent(morsel))
    assert sessions.find_digest(scope, headers) == sessions.digest(SECRET.encode())
    now += SESSION_DAYS * 86_400 + 1
    assert sessions.find_digest(scope, headers) is None
