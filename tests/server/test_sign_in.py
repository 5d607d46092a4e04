"""Signing in by identity providers, through the browser's door: the way there and back, and each refusal on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography import x509

from eclair.identity_settings import IdentitySettings, LdapSettings, OidcSettings, SamlSettings
from eclair.schema.audit import ActFilter
from eclair.schema.principal import Principal
from eclair.server.sign_in_cookie import SIGN_IN_S, BegunSignIn, SignInCookie, local_path
from eclair.settings import Settings
from tests.identity.directory import BASE, READER, READER_PASSWORD, directory
from tests.identity.openid import CLIENT, SECRET, OpenIdProvider, openid_provider
from tests.identity.saml_idp import SamlIdp, encode, new_certificate, read_request
from tests.network.https import Authority
from tests.support import Door, Reply, Server, serving

PASSWORD = "correct horse battery"
SESSION = {"Authorization": "Session"}
FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


class Browser:
    """A browser that keeps cookies, and follows no redirect by itself."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.cookies: dict[str, str] = {}

    async def go(
        self,
        path: str,
        method: str = "GET",
        form: Mapping[str, str] | None = None,
        more: Mapping[str, str] = MappingProxyType({}),
        data: bytes | None = None,
    ) -> Reply:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **more}
        if form is not None:
            data, headers["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        call = self.door.http.request(
            method, self.door.address + path, data=data, headers=headers, allow_redirects=False
        )
        async with call as response:
            reply = Reply(response.status, response.headers, await response.read())
        self.keep(reply)
        return reply

    def keep(self, reply: Reply) -> None:
        """Keep the cookies of a reply, or forget them."""
        headers: Any = reply.headers
        for line in headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                assert morsel["httponly"]
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value

    async def follow(self, reply: Reply, more: Mapping[str, str]) -> Reply:
        """Go to where a reply leads, which must be here."""
        assert reply.status == 303, reply
        target = urlsplit(reply.headers["Location"])
        return await self.go(f"{target.path}?{target.query}", more=more)

    async def who(self) -> str | None:
        person = (await self.go("/api/session", more=SESSION)).body["person"]
        return None if person is None else str(person["name"])


@asynccontextmanager
async def house(settings: Settings, **providers: IdentitySettings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on", identity=providers, saml=True)) as server:
        code = (await server.app.accounts.codes.make_setup_code()).code
        body = {"code": code, "name": "root", "display_name": "Root", "password": PASSWORD}
        assert (await server.post("/api/session/setup", body)).status == (
            202 if settings.second_step == "required" else 204
        )
        yield server


def openid(provider: OpenIdProvider, **more: Any) -> OidcSettings:
    return OidcSettings(kind="oidc", name="House", issuer=provider.url, client_id=CLIENT, client_secret=SECRET, **more)


async def sign_in(browser: Browser, provider: OpenIdProvider, back: str = "/") -> Reply:
    """Sign in by a provider; the reply is the last one, which leads to a page."""
    begun = await browser.go(f"/api/sign-in/house?{urlencode({'return_to': back})}")
    assert begun.status == 303, begun
    if not begun.headers["Location"].startswith(provider.url):
        return begun
    target = urlsplit(provider.authorize(begun.headers["Location"]))
    return await browser.go(f"{target.path}?{target.query}", more=FROM_ELSEWHERE)


def refusal(reply: Reply) -> str:
    assert reply.status == 303, reply
    target = urlsplit(reply.headers["Location"])
    assert target.path == "/"
    return parse_qs(target.query)["sign_in_error"][0]


async def test_a_person_signs_in_and_is_the_same_the_next_time(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        state = (await server.get("/api/session")).body
        assert {"kind": "oidc", "id": "house", "name": "House"} in state["ways"]
        browser = Browser(server)
        reply = await sign_in(browser, provider, "/c/some?x=1")
        assert reply.headers["Location"] == "/c/some?x=1"
        assert await browser.who() == "ada"
        provider.person |= {"preferred_username": "ada.byron", "name": "Ada Byron", "email": "byron@example.eu"}
        again = Browser(server)
        await sign_in(again, provider)
        session = (await again.go("/api/session", more=SESSION)).body
        assert session["person"]["name"] == "ada"
        assert session["person"]["display_name"] == "Ada Byron"
        assert session["person"]["email"] == "byron@example.eu"
        assert session["role"] == "member"


async def test_another_person_of_the_same_name_is_another_account(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        for subject, name in (("u1", "ada"), ("u2", "ada-2")):
            provider.person["sub"] = subject
            browser = Browser(server)
            await sign_in(browser, provider)
            assert await browser.who() == name
        provider.person |= {"sub": "u3", "preferred_username": "root", "email": None}
        browser = Browser(server)
        await sign_in(browser, provider)
        assert await browser.who() == "root-2"


async def test_groups_and_roles_follow_the_provider(settings: Settings) -> None:
    settings_of_provider = {"groups_claim": "groups", "roles": {"admin": ("boss",)}}
    async with openid_provider() as provider, house(settings, house=openid(provider, **settings_of_provider)) as server:
        provider.person["groups"] = ["boss", "staff"]
        browser = Browser(server)
        await sign_in(browser, provider)
        groups = (await browser.go("/api/groups", more=SESSION)).body
        assert {(each["name"], each["origin"]) for each in groups["groups"]} == {
            ("boss", f"oidc:{provider.url}"),
            ("staff", f"oidc:{provider.url}"),
        }
        provider.person["groups"] = ["staff"]
        await sign_in(browser, provider)
        assert (await browser.go("/api/groups", more=SESSION)).status == 403


async def test_a_reply_counts_once_and_in_its_own_browser(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser, stranger = Browser(server), Browser(server)
        begun = await browser.go("/api/sign-in/house")
        target = urlsplit(provider.authorize(begun.headers["Location"]))
        path = f"{target.path}?{target.query}"
        assert refusal(await stranger.go(path, more=FROM_ELSEWHERE)) == "sign_in_expired"
        wrong_state = f"{target.path}?{urlencode({'code': 'x', 'state': 'other', 'iss': provider.url})}"
        copy = Browser(server)
        copy.cookies = dict(browser.cookies)
        assert refusal(await copy.go(wrong_state)) == "sign_in_expired"
        kept = dict(browser.cookies)
        assert (await browser.go(path)).headers["Location"] == "/"
        assert refusal(await browser.go(path)) == "sign_in_expired"
        replay = Browser(server)
        replay.cookies = kept
        assert refusal(await replay.go(path)) == "sign_in_expired"
        assert await replay.who() is None


async def test_a_changed_cookie_is_none(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        begun = await browser.go("/api/sign-in/house")
        target = urlsplit(provider.authorize(begun.headers["Location"]))
        ((name, value),) = browser.cookies.items()
        for forged in (value[:-1] + ("0" if value[-1] != "0" else "1"), "x." + value.partition(".")[2], "x", "ü.ü"):
            browser.cookies = {name: forged}
            assert refusal(await browser.go(f"{target.path}?{target.query}")) == "sign_in_expired"


def test_a_sign_in_has_ten_minutes(settings: Settings) -> None:
    from starlette.datastructures import Headers
    from starlette.responses import Response

    now = 1_000_000.0
    cookie = SignInCookie(settings, lambda: now)
    scope: dict[str, Any] = {"type": "http", "scheme": "https", "server": ("a", 1)}
    response = Response()
    begun = BegunSignIn("house", "state")
    cookie.write(scope, begun, response)
    line = response.headers["set-cookie"]
    assert line.startswith("__Host-eclair-sign-in=")
    assert "Secure" in line
    headers = Headers({"cookie": line.partition(";")[0]})
    assert cookie.read(scope, headers) == begun
    now += SIGN_IN_S
    assert cookie.read(scope, headers) is None


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\\b", "/api/x", "a"])
def test_a_sign_in_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"


async def test_each_refusal_has_its_code(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider, join=False)) as server:
        browser = Browser(server)
        assert refusal(await sign_in(browser, provider)) == "not_invited"
        provider.denies = True
        assert refusal(await sign_in(browser, provider)) == "sign_in_denied"
        provider.denies = False
        provider.change = lambda claims: claims | {"nonce": "other"}
        assert refusal(await sign_in(browser, provider)) == "identity_unverified"
        provider.is_down = True
        begun = await browser.go("/api/sign-in/house")
        target = urlsplit(provider.authorize(begun.headers["Location"]))
        assert refusal(await browser.go(f"{target.path}?{target.query}")) == "identity_unavailable"
        assert await browser.who() is None
        acts = [
            act for act in await server.app.storage.audit.list_acts(ActFilter(), 100) if act.action == "sign_in.failed"
        ]
        assert [act.details["reason"] for act in reversed(acts)] == [
            "not_invited",
            "sign_in_denied",
            "identity_unverified",
            "identity_unavailable",
        ]
        assert all(act.details["provider"] == "house" and act.outcome == "failure" for act in acts)
        for path in ("/api/sign-in/other", "/api/sign-in/other/callback", "/api/sign-in/house/metadata"):
            assert (await browser.go(path)).status == 404


async def test_a_wrong_secret_is_the_administrators_affair(settings: Settings) -> None:
    async with openid_provider() as provider:
        wrong = replace(openid(provider), client_secret="wrong")
        async with house(settings, house=wrong) as server:
            assert refusal(await sign_in(Browser(server), provider)) == "identity_setup"


async def test_only_some_may_come_in(settings: Settings) -> None:
    only = {"allowed_domains": ("house.example",)}
    async with openid_provider() as provider, house(settings, house=openid(provider, **only)) as server:
        assert refusal(await sign_in(Browser(server), provider)) == "not_admitted"


async def test_a_locked_account_stays_out(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        id = (await browser.go("/api/session", more=SESSION)).body["person"]["id"]
        await server.app.accounts.people.lock(Principal("local", role="admin"), id)
        assert await browser.who() is None
        assert refusal(await sign_in(browser, provider)) == "account_locked"


async def test_an_address_leads_to_an_account_only_where_that_is_set_and_verified(settings: Settings) -> None:
    async with (
        openid_provider() as provider,
        house(settings, house=openid(provider, link_by_email=True, join=False)) as server,
    ):
        people = server.app.accounts.people
        root = Principal("local", role="admin")
        ada = await people.add(root, "countess", "Ada", email="Ada@example.eu")
        assert refusal(await sign_in(Browser(server), provider)) == "not_invited"
        provider.person["email_verified"] = True
        browser = Browser(server)
        await sign_in(browser, provider)
        assert await browser.who() == "countess"
        provider.person["sub"] = "u2"
        await people.add(root, "other", "Other", email="ada@example.eu")
        assert refusal(await sign_in(Browser(server), provider)) == "email_shared"
        assert ada.name == "countess"


async def test_the_provider_ends_sessions(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        path = "/api/sign-in/house/backchannel-logout"
        browser, other = Browser(server), Browser(server)
        await sign_in(browser, provider)
        provider.change = lambda claims: claims | {"sid": "s2"}
        await sign_in(other, provider)
        assert (await browser.who(), await other.who()) == ("ada", "ada")
        wrong = await browser.go(path, "POST", {"logout_token": provider.logout_token(sid="s1", aud="x")})
        assert (wrong.status, wrong.body["error"]) == (400, "invalid_request")
        assert (await browser.go(path, "POST", {"logout_token": provider.logout_token(sid="s1")})).status == 200
        assert (await browser.who(), await other.who()) == (None, "ada")
        await sign_in(browser, provider)
        assert (await browser.go(path, "POST", {"logout_token": provider.logout_token(sub="u1")})).status == 200
        assert (await browser.who(), await other.who()) == (None, None)


async def test_signing_out_leads_to_the_provider(settings: Settings) -> None:
    async with openid_provider() as provider, house(settings, house=openid(provider)) as server:
        browser = Browser(server)
        await sign_in(browser, provider)
        path = (await browser.go("/api/session", more=SESSION)).body["sign_out"]
        assert path == "/api/sign-in/house/logout"
        assert (await browser.go("/api/session", "DELETE", more=SESSION)).status == 204
        assert await browser.who() is None
        token = browser.cookies["eclair-id-token"]
        reply = await browser.go(path)
        query = parse_qs(urlsplit(reply.headers["Location"]).query)
        assert reply.headers["Location"].startswith(f"{provider.url}/logout?")
        assert query["id_token_hint"] == [token]
        assert "eclair-id-token" not in browser.cookies
        elsewhere = await browser.go(path, more=FROM_ELSEWHERE)
        assert elsewhere.status == 403


async def test_a_base_path_and_a_public_address_are_kept_to(settings: Settings) -> None:
    async with openid_provider() as provider:
        behind = replace(settings, public_url="https://ai.example.org/assistant")
        async with house(behind, house=openid(provider)) as server:
            reply = await Browser(server).go("/api/sign-in/house", more={"Host": "ai.example.org"})
            query = parse_qs(urlsplit(reply.headers["Location"]).query)
            assert reply.headers["Location"].startswith(f"{provider.url}/authorize?")
            assert query["redirect_uri"] == ["https://ai.example.org/assistant/api/sign-in/house/callback"]
            refused = await Browser(server).go("/api/sign-in/house/callback", more={"Host": "ai.example.org"})
            assert refused.headers["Location"] == "/assistant/?sign_in_error=sign_in_expired"


async def test_saml_from_the_first_step_to_the_last(settings: Settings, tmp_path: Path) -> None:
    idp = SamlIdp(*new_certificate())
    file = tmp_path / "idp.xml"
    file.write_text(idp.metadata())
    async with house(settings, firm=SamlSettings(kind="saml", metadata_file=file)) as server:
        browser, stranger = Browser(server), Browser(server)
        metadata = await browser.go("/api/sign-in/firm/metadata")
        idp.audience = f"{server.address}/api/sign-in/firm/metadata"
        idp.recipient = idp.destination = f"{server.address}/api/sign-in/firm/callback"
        assert idp.audience in metadata.raw.decode()
        assert idp.recipient in metadata.raw.decode()
        begun = await browser.go("/api/sign-in/firm?return_to=/c/1")
        idp.request = read_request(begun.headers["Location"]).get("ID")
        form = {"SAMLResponse": encode(idp.signed_response()), "RelayState": "x"}
        headers = FROM_ELSEWHERE | {"Origin": "https://idp.example"}
        kept, browser.cookies = browser.cookies, {}  # a form of another site's page comes without them
        posted = await browser.go("/api/sign-in/firm/callback", "POST", form, headers)
        browser.cookies = kept
        assert refusal(await stranger.follow(posted, more=FROM_ELSEWHERE)) == "sign_in_expired"
        again = await browser.go("/api/sign-in/firm/callback", "POST", form, headers)
        assert refusal(again) == "identity_unverified", "the same response a second time"
        begun = await browser.go("/api/sign-in/firm?return_to=/c/1")
        idp.request, idp.id = read_request(begun.headers["Location"]).get("ID"), "_second"
        form = {"SAMLResponse": encode(idp.signed_response())}
        done = await browser.follow(await browser.go("/api/sign-in/firm/callback", "POST", form), more=FROM_ELSEWHERE)
        assert done.headers["Location"] == "/c/1"
        assert await browser.who() == "person-1"


async def test_ldap_takes_the_passwords_of_the_page(settings: Settings, tmp_path: Path) -> None:
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
        async with house(settings, directory=ldap) as server:
            assert [way["kind"] for way in (await server.get("/api/session")).body["ways"]] == ["password", "passkey"]
            for name, password, status in (
                ("bob", "wrong", 401),
                ("bob", "bob's secret", 204),
                ("root", PASSWORD, 204),
            ):
                reply = await server.post("/api/session", {"name": name, "password": password})
                assert reply.status == status, reply
        down = replace(ldap, url="ldaps://127.0.0.1:1")
        async with house(replace(settings, data_dir=tmp_path / "other"), directory=down) as server:
            reply = await server.post("/api/session", {"name": "bob", "password": "bob's secret"})
            assert (reply.status, reply.error["code"]) == (503, "identity_unavailable")
            assert "Directory can't be reached" in reply.error["message"]
            assert (await server.post("/api/session", {"name": "root", "password": PASSWORD})).status == 204


async def test_there_are_no_ways_without_accounts(settings: Settings) -> None:
    async with (
        openid_provider() as provider,
        serving(replace(settings, identity={"house": openid(provider)})) as server,
    ):
        assert (await server.get("/api/sign-in/house")).status == 404
