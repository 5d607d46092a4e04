"""The second step of a sign-in: after a password, a provider, a directory or a one-time code, chosen or required."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from cryptography import x509

from eclair.accounts.second_factor import STEP_S, totp
from eclair.accounts.sign_in_throttle import FREE_ATTEMPTS
from eclair.identity_settings import LdapSettings
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.passkeys import Passkey
from tests.identity.directory import BASE, READER, READER_PASSWORD, directory
from tests.identity.openid import openid_provider
from tests.network.https import Authority
from tests.server.test_accounts import PASSWORD, Headers, member, set_up
from tests.server.test_sign_in import SESSION, Browser, house, openid, sign_in
from tests.support import JSON, Reply, Server, serving

JSON_BODY = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def strict(settings: Settings) -> AsyncGenerator[Server]:
    """A house that requires a second step of everybody."""
    async with serving(replace(settings, accounts="on", second_step="required")) as server:
        yield server


def code_of(secret: str, later: int = 0) -> str:
    return totp(base64.b32decode(secret), int(time.time()) // STEP_S + later)


async def send(browser: Browser, method: str, path: str, body: JSON) -> Reply:
    """Send JSON with the browser's cookies."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    reply = await browser.door.call(method, path, body, headers=headers | JSON_BODY)
    browser.keep(reply)
    return reply


async def turn_on(server: Server, headers: Headers) -> str:
    """Turn two-step sign-in on for somebody, and return the secret. The code of now is spent."""
    made = (await server.post("/api/me/second-factor", {"password": PASSWORD}, headers=headers)).body
    confirmed = await server.call("PUT", "/api/me/second-factor", {"code": code_of(made["secret"])}, headers=headers)
    assert confirmed.status == 200, confirmed
    return str(made["secret"])


async def turn_on_there(browser: Browser) -> str:
    """Turn it on for who has no password here."""
    made = (await browser.go("/api/me/second-factor", "POST", more=SESSION | JSON_BODY, data=b'{"password":""}')).body
    body = orjson.dumps({"code": code_of(made["secret"])})
    assert (await browser.go("/api/me/second-factor", "PUT", more=SESSION | JSON_BODY, data=body)).status == 200
    return str(made["secret"])


async def missing(browser: Browser) -> str | None:
    step: str | None = (await browser.go("/api/session", more=SESSION)).body["second_step"]
    return step


async def test_who_comes_from_a_provider_is_asked_for_their_own_second_step(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        secret = await turn_on_there(browser)
        again = Browser(server)
        led = await sign_in(again, provider, "/c/some")
        assert (led.headers["Location"], await again.who(), await missing(again)) == ("/c/some", None, "code")
        wrong = await send(again, "POST", "/api/session/second-step", {"code": "000000"})
        assert (wrong.status, wrong.error["code"]) == (401, "second_factor_needed")
        replayed = await send(again, "POST", "/api/session/second-step", {"code": code_of(secret)})
        assert replayed.status == 401, "it was used"
        taken = await send(again, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})
        assert taken.status == 204
        assert (await again.who(), await missing(again)) == ("ada", None)
        late = await send(again, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})
        assert (late.status, late.error["code"]) == (400, "sign_in_expired")


@pytest.mark.parametrize(
    ("claims", "options"),
    [
        ({"amr": ["pwd", "mfa"]}, {}),
        ({"acr": "https://refeds.org/profile/mfa"}, {}),
        ({"acr": "gold"}, {"second_step_values": ("gold",)}),
        ({}, {"trust_second_step": True}),
    ],
)
async def test_a_second_step_at_the_provider_counts(settings: Settings, claims: JSON, options: JSON) -> None:
    strict = replace(settings, second_step="required")
    async with openid_provider() as provider, house(strict, house=openid(provider, **options)) as server:
        provider.person |= claims
        browser = Browser(server)
        await sign_in(browser, provider)
        assert await browser.who() == "ada"


@pytest.mark.parametrize("claims", [{}, {"amr": ["pwd"]}, {"amr": "mfa"}, {"acr": "1", "amr": [7, None]}])
async def test_a_provider_that_asked_for_none_leaves_it_to_us(settings: Settings, claims: JSON) -> None:
    strict = replace(settings, second_step="required")
    async with openid_provider() as provider, house(strict, house=openid(provider)) as server:
        provider.person |= claims
        browser = Browser(server)
        await sign_in(browser, provider)
        assert (await browser.who(), await missing(browser)) == (None, "setup")


async def set_up_step(browser: Browser) -> tuple[str, Reply]:
    made = (await send(browser, "POST", "/api/session/second-step/setup", {})).body
    return made["secret"], await send(
        browser, "PUT", "/api/session/second-step/setup", {"code": code_of(made["secret"])}
    )


async def test_a_required_step_is_set_up_at_the_door(settings: Settings) -> None:
    strict = replace(settings, second_step="required")
    async with openid_provider() as provider, house(strict, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        skipped = await send(browser, "POST", "/api/session/second-step", {"code": "123456"})
        assert (skipped.status, skipped.error["code"]) == (400, "sign_in_expired")
        secret, done = await set_up_step(browser)
        assert (done.status, len(done.body["codes"])) == (200, 10)
        assert await browser.who() == "ada"
        again = Browser(server)
        await sign_in(again, provider)
        assert await missing(again) == "code"
        assert (await send(again, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})).status == 204


async def test_nobody_sets_up_what_they_have(settings: Settings) -> None:
    """A password alone isn't enough to replace somebody's second factor."""
    async with serving(replace(settings, accounts="on", second_step="required")) as server:
        browser = Browser(server)
        code = (await server.app.accounts.codes.make_setup_code()).code
        body = {"code": code, "name": "ada", "display_name": "Ada", "password": PASSWORD}
        reply = await send(browser, "POST", "/api/session/setup", body)
        assert (reply.status, reply.body) == (202, {"second_step": "setup"})
        secret, done = await set_up_step(browser)
        assert done.status == 200
        thief = Browser(server)
        asked = await send(thief, "POST", "/api/session", {"name": "ada", "password": PASSWORD})
        assert (asked.status, asked.error["code"]) == (401, "second_factor_needed")
        assert (await send(thief, "POST", "/api/session/second-step/setup", {})).status == 400
        body = {"name": "ada", "password": PASSWORD, "code": code_of(secret, 1)}
        assert (await send(thief, "POST", "/api/session", body)).status == 204


async def test_a_passkey_is_a_second_step_until_an_administrator_takes_it(strict: Server) -> None:
    admin = Browser(strict)
    code = (await strict.app.accounts.codes.make_setup_code()).code
    ada = {"code": code, "name": "ada", "display_name": "Ada", "password": PASSWORD}
    assert (await send(admin, "POST", "/api/session/setup", ada)).status == 202
    await set_up_step(admin)
    body = orjson.dumps({"name": "ben", "password": PASSWORD, "role": "member"})
    ben = (await admin.go("/api/people", "POST", more=SESSION | JSON_BODY, data=body)).body["id"]
    passkey = Passkey(id="pk", person=ben, credential=b"c", public_key=b"k", signatures=0, name="phone", created=1)
    await strict.app.storage.passkeys.add_passkey(LOCAL_PRINCIPAL, passkey)
    browser = Browser(strict)
    reply = await send(browser, "POST", "/api/session", {"name": "ben", "password": PASSWORD})
    assert (reply.status, reply.body) == (202, {"second_step": "passkey"})
    assert (await send(browser, "POST", "/api/session/second-step/setup", {})).status == 400
    assert await browser.who() is None
    await browser.go("/api/session", "DELETE")
    assert await missing(browser) is None
    assert (await admin.go(f"/api/people/{ben}/second-factor", "DELETE", more=SESSION)).status == 204
    reply = await send(browser, "POST", "/api/session", {"name": "ben", "password": PASSWORD})
    assert reply.body == {"second_step": "setup"}


async def test_a_new_password_doesnt_skip_the_second_step(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as server:
        admin = await set_up(server)
        id, ben = await member(server, admin)
        secret = await turn_on(server, ben)
        code = (await server.post(f"/api/people/{id}/password-code", headers=admin)).body["code"]
        browser = Browser(server)
        body = {"code": code, "password": "another password of Ben"}
        reply = await send(browser, "POST", "/api/session/redeem", body)
        assert (reply.status, reply.body, await browser.who()) == (202, {"second_step": "code"}, None)
        assert (await send(browser, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})).status == 204
        assert await browser.who() == "ben"


async def test_codes_cannot_be_tried_out(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        secret = await turn_on_there(browser)
        await sign_in(again := Browser(server), provider)
        for _ in range(FREE_ATTEMPTS):
            await send(again, "POST", "/api/session/second-step", {"code": "000000"})
        waiting = await send(again, "POST", "/api/session/second-step", {"code": code_of(secret, 1)})
        assert (waiting.status, waiting.error["code"]) == (429, "too_busy")


async def test_a_second_factor_without_a_password_goes_by_its_code(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        secret = await turn_on_there(browser)
        for code, status in (("", 401), ("000000", 401), (code_of(secret, 1), 204)):
            body = orjson.dumps({"code": code})
            reply = await browser.go("/api/me/second-factor/removal", "POST", more=SESSION | JSON_BODY, data=body)
            assert reply.status == status, code
        await sign_in(again := Browser(server), provider)
        assert await again.who() == "ada"


async def test_a_directory_never_asks_so_we_do(settings: Settings, tmp_path: Path) -> None:
    authority = Authority.made(tmp_path, [x509.DNSName("localhost")])
    with directory(tmp_path / "slapd", authority) as running:
        ldap = LdapSettings(
            kind="ldap",
            name="Directory",
            url=running.secure_url,
            base_dn=BASE,
            bind_dn=READER,
            bind_password=READER_PASSWORD,
            ca_file=authority.certificates,
        )
        async with house(replace(settings, second_step="required"), directory=ldap) as server:
            browser = Browser(server)
            bob = {"name": "bob", "password": "bob's secret"}
            reply = await send(browser, "POST", "/api/session", bob)
            assert (reply.status, reply.body) == (202, {"second_step": "setup"})
            secret, done = await set_up_step(browser)
            assert (done.status, await browser.who()) == (200, "bob")
            asked = await send(Browser(server), "POST", "/api/session", bob)
            assert (asked.status, asked.error["code"]) == (401, "second_factor_needed")
            wrong = await send(Browser(server), "POST", "/api/session", {**bob, "code": "000000"})
            assert (wrong.status, "wrong" in wrong.error["message"]) == (401, True)
            taken = await send(Browser(server), "POST", "/api/session", {**bob, "code": code_of(secret, 1)})
            assert taken.status == 204


async def test_a_missing_claim_can_leave_groups_and_role_as_they_are(settings: Settings) -> None:
    keep = {"groups_claim": "groups", "roles": {"admin": ("boss",)}, "missing_claims": "keep", "default_role": "guest"}
    async with openid_provider() as provider, house(settings, house=openid(provider, **keep)) as server:
        provider.person["groups"] = ["boss"]
        await sign_in(browser := Browser(server), provider)
        del provider.person["groups"]
        await sign_in(browser := Browser(server), provider)
        assert [each["name"] for each in (await browser.go("/api/groups", more=SESSION)).body["groups"]] == ["boss"]
        provider.person |= {"sub": "u2", "preferred_username": "new"}
        await sign_in(stranger := Browser(server), provider)
        assert (await stranger.go("/api/session", more=SESSION)).body["role"] == "guest"
        provider.person |= {"sub": "u1", "groups": []}
        await sign_in(browser, provider)
        assert (await browser.go("/api/session", more=SESSION)).body["role"] == "guest"


async def test_more_groups_than_are_told_leave_them_as_they_are(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider, groups_claim="groups")) as server:
        provider.person["groups"] = ["staff"]
        await sign_in(Browser(server), provider)
        del provider.person["groups"]
        provider.person["_claim_names"] = {"groups": "src1"}
        await sign_in(Browser(server), provider)
        root = await server.app.storage.groups.list_groups(10)
        assert [(group.name, group.members) for group in root] == [("staff", 1)]
