"""OpenID Connect against a provider of ours, and another's: who is let in, and each forgery that isn't."""

from __future__ import annotations

import base64
import hmac
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from eclair.errors import (
    IdentityMisconfigured,
    IdentityUnavailable,
    IdentityUnverified,
    NotAdmitted,
    SettingsError,
    SignInDenied,
    SignInExpired,
)
from eclair.identity.oidc import OidcProvider
from eclair.identity_settings import OidcSettings
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.people import ProvidedIdentity
from tests.identity.directory import free_port
from tests.identity.openid import CLIENT, JSON, SECRET, OpenIdProvider, new_key, openid_provider

BACK = "http://127.0.0.1:1/api/sign-in/house/callback"
VERIFIER = "v" * 43
NEXT_WEEK = int(time.time()) + 7 * 86400


class Clock:
    """The time of day, which tests move."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def relying_party(
    provider: OpenIdProvider, secret: str | None = SECRET, clock: Callable[[], float] = time.time, **settings: Any
) -> AsyncGenerator[OidcProvider]:
    party = OidcProvider(
        "House",
        OidcSettings(kind="oidc", issuer=provider.url, client_id=CLIENT, **settings),
        secret,
        OutboundGate(),
        clock,
    )
    try:
        yield party
    finally:
        await party.close()


async def sign_in(provider: OpenIdProvider, party: OidcProvider, verifier: str = VERIFIER) -> ProvidedIdentity:
    reply = await begin(provider, party)
    return (await party.finish(reply, BACK, "nonce", verifier)).identity


async def begin(provider: OpenIdProvider, party: OidcProvider) -> dict[str, str]:
    address = await party.begin(BACK, "state", "nonce", VERIFIER)
    assert address.startswith(f"{provider.url}/authorize?")
    return dict(parse_qsl(urlsplit(provider.authorize(address)).query))


async def test_a_person_signs_in() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        provider.person["email_verified"] = True
        assert await sign_in(provider, party) == ProvidedIdentity(
            issuer=f"oidc:{provider.url}",
            subject="u1",
            name="ada",
            display_name="Ada L.",
            email="ada@example.eu",
            email_verified=True,
            provider_session="s1",
        )


async def test_userinfo_adds_what_the_token_lacks() -> None:
    async with openid_provider() as provider, relying_party(provider, groups_claim="groups") as party:
        del provider.person["email"]
        provider.userinfo = {"email": "ada@example.eu", "name": "Another", "groups": ["staff", 7, "labs"]}
        identity = await sign_in(provider, party)
        assert (identity.email, identity.display_name) == ("ada@example.eu", "Ada L.")
        assert identity.groups == ("staff", "labs")
        assert not identity.email_verified
        provider.userinfo["sub"] = "somebody else"
        with pytest.raises(IdentityUnverified, match="another person"):
            await sign_in(provider, party)


def sign_as(_: OpenIdProvider) -> Callable[[JSON], str]:
    """A signature by a key that the provider doesn't have, under the name of one of its own."""
    other = new_key("1")
    return lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, other)


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign_with_public_key(provider: OpenIdProvider) -> Callable[[JSON], str]:
    def sign(claims: JSON) -> str:
        head = f"{encode(orjson.dumps({'alg': 'HS256', 'kid': '1'}))}.{encode(orjson.dumps(claims))}"
        return f"{head}.{encode(hmac.digest(provider.key.as_pem(private=False), head.encode(), 'sha256'))}"

    return sign


def sign_not_at_all(_: OpenIdProvider) -> Callable[[JSON], str]:
    return lambda claims: f"{encode(orjson.dumps({'alg': 'none', 'kid': '1'}))}.{encode(orjson.dumps(claims))}."


def change_after_signing(provider: OpenIdProvider) -> Callable[[JSON], str]:
    def sign(claims: JSON) -> str:
        head, _, tail = provider.sign_truly(claims).split(".")
        payload = encode(orjson.dumps(claims | {"sub": "admin"}))
        return f"{head}.{payload}.{tail}"

    return sign


def send_no_token(_: OpenIdProvider) -> Callable[[JSON], str]:
    return lambda _: "no token"


def sign_a_list(provider: OpenIdProvider) -> Callable[[JSON], str]:
    header = {"alg": "RS256", "kid": "1"}
    return lambda claims: jws.serialize_compact(header, orjson.dumps([claims]), provider.key)


def sign_with_own_header_key(_: OpenIdProvider) -> Callable[[JSON], str]:
    other = new_key("1")
    return lambda claims: jwt.encode({"alg": "RS256", "jwk": other.as_dict(private=False)}, claims, other)


@pytest.mark.parametrize(
    "forge",
    [
        sign_as,
        sign_with_public_key,
        sign_not_at_all,
        change_after_signing,
        sign_with_own_header_key,
        send_no_token,
        sign_a_list,
    ],
)
async def test_a_forged_token_is_refused(forge: Callable[[OpenIdProvider], Callable[[JSON], str]]) -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        provider.sign = forge(provider)
        with pytest.raises(IdentityUnverified):
            await sign_in(provider, party)
        provider.sign = provider.sign_truly
        assert (await sign_in(provider, party)).subject == "u1"


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"iss": "https://other.example"}, "another provider"),
        ({"iss": None}, "another provider"),
        ({"aud": "other"}, "another program"),
        ({"aud": []}, "another program"),
        ({"aud": {"eclair": 1}}, "another program"),
        ({"aud": [CLIENT, "other"]}, "several programs"),
        ({"aud": [CLIENT, "other"], "azp": "other"}, "several programs"),
        ({"azp": "other"}, "several programs"),
        ({"exp": int(time.time()) - 61}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "9999999999"}, "expired"),
        ({"exp": True}, "expired"),
        ({"iat": NEXT_WEEK}, "future"),
        ({"iat": None}, "when it was made"),
        ({"nbf": NEXT_WEEK}, "future"),
        ({"nonce": None}, "another sign-in"),
        ({"nonce": "other"}, "another sign-in"),
        ({"nonce": ["nonce"]}, "another sign-in"),
        ({"sub": None}, "about"),
        ({"sub": ""}, "about"),
        ({"sub": "x" * 256}, "about"),
    ],
)
async def test_a_token_for_another_use_is_refused(claims: JSON, sentence: str) -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        provider.change = lambda base: {key: each for key, each in (base | claims).items() if each is not None}
        with pytest.raises(IdentityUnverified, match=sentence):
            await sign_in(provider, party)


async def test_clocks_may_differ_by_a_minute() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        now = int(time.time())
        provider.change = lambda base: base | {"exp": now - 50, "iat": now + 50, "aud": [CLIENT, "api"], "azp": CLIENT}
        assert (await sign_in(provider, party)).subject == "u1"


async def test_a_code_counts_once_and_only_with_its_verifier() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        reply = await begin(provider, party)
        await party.finish(reply, BACK, "nonce", VERIFIER)
        with pytest.raises(SignInExpired, match="sign in again"):
            await party.finish(reply, BACK, "nonce", VERIFIER)
        with pytest.raises(SignInExpired):
            await sign_in(provider, party, "w" * 43)


async def test_the_person_or_the_provider_may_say_no() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        provider.denies = True
        with pytest.raises(SignInDenied, match="House"):
            await sign_in(provider, party)
        with pytest.raises(IdentityMisconfigured, match="unauthorized_client"):
            await party.finish({"iss": provider.url, "error": "unauthorized_client"}, BACK, "nonce", VERIFIER)


async def test_a_reply_of_another_provider_is_refused() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        reply = await begin(provider, party)
        with pytest.raises(IdentityUnverified, match="another provider"):
            await party.finish(reply | {"iss": "https://evil.example"}, BACK, "nonce", VERIFIER)
        del reply["iss"]
        with pytest.raises(IdentityUnverified, match="another provider"):
            await party.finish(reply, BACK, "nonce", VERIFIER)


async def test_new_keys_are_looked_for_and_old_ones_forgotten() -> None:
    clock = Clock()
    async with openid_provider() as provider, relying_party(provider, clock=clock) as party:
        await sign_in(provider, party)
        old = provider.sign_truly
        provider.rotate("2")
        clock.ahead = 10
        await sign_in(provider, party)
        assert provider.asked.count("/keys") == 2
        key = provider.key
        provider.key = new_key("1")
        provider.sign = old
        with pytest.raises(IdentityUnverified):
            await sign_in(provider, party)
        assert provider.asked.count("/keys") == 2, "no second look within seconds"
        provider.key = key
        provider.algorithm = "ES256"
        provider.key = ECKey.generate_key("P-256", {"kid": "3"})
        provider.published = [provider.key]
        clock.ahead = 20
        assert (await sign_in(provider, party)).subject == "u1"


async def test_groups_and_roles_come_from_claims() -> None:
    settings: JSON = {
        "groups_claim": "groups",
        "roles_claim": "realm_access.roles",
        "roles": {"admin": ("boss",), "auditor": ("revision",)},
        "default_role": "guest",
        "allowed_groups": ("staff", "boss"),
    }
    async with openid_provider() as provider, relying_party(provider, **settings) as party:
        provider.person |= {"groups": ["staff", "revision"], "realm_access": {"roles": ["boss"]}}
        identity = await sign_in(provider, party)
        assert (identity.role, identity.groups) == ("admin", ("staff", "revision"))
        provider.person["realm_access"] = {"roles": []}
        assert (await sign_in(provider, party)).role == "auditor"
        provider.person["groups"] = ["staff"]
        assert (await sign_in(provider, party)).role == "guest"
        del provider.person["groups"]
        with pytest.raises(NotAdmitted, match="ask your administrator"):
            await sign_in(provider, party)
        provider.person["realm_access"] = {"roles": ["boss"]}
        assert (await sign_in(provider, party)).groups == ()


async def test_groups_too_many_for_a_token_are_said_so() -> None:
    settings: JSON = {"groups_claim": "groups", "roles": {"guest": ("none",)}}
    async with openid_provider() as provider, relying_party(provider, **settings) as party:
        provider.person["_claim_names"] = {"groups": "src1"}
        with pytest.raises(IdentityMisconfigured, match="more groups"):
            await sign_in(provider, party)
        del provider.person["_claim_names"]
        provider.person["groups"] = [f"group {number}" for number in range(5_000)]
        identity = await sign_in(provider, party)
        assert identity.groups is not None
        assert len(identity.groups) == 5_000


async def test_only_verified_addresses_of_a_domain_come_in() -> None:
    async with openid_provider() as provider, relying_party(provider, allowed_domains=("example.eu",)) as party:
        with pytest.raises(NotAdmitted, match="domains"):
            await sign_in(provider, party)
        provider.person["email_verified"] = True
        assert (await sign_in(provider, party)).email_verified
        provider.person["email"] = "ada@example.eu.evil.com"
        with pytest.raises(NotAdmitted, match="domains"):
            await sign_in(provider, party)


async def test_a_provider_that_is_down_is_named() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        provider.is_down = True
        with pytest.raises(IdentityUnavailable, match="House is out of order"):
            await party.begin(BACK, "state", "nonce", VERIFIER)
    async with relying_party(provider) as party:
        with pytest.raises(IdentityUnavailable, match="House can't be reached"):
            await party.begin(BACK, "state", "nonce", VERIFIER)


async def test_a_wrong_set_up_is_named() -> None:
    async with openid_provider() as provider:
        async with relying_party(provider, "wrong") as party:
            with pytest.raises(IdentityMisconfigured, match="invalid_client"):
                await sign_in(provider, party)
        provider.metadata = {"issuer": "https://other.example"}
        async with relying_party(provider) as party:
            with pytest.raises(IdentityMisconfigured, match="correct `issuer`"):
                await party.begin(BACK, "state", "nonce", VERIFIER)
        provider.metadata = {"token_endpoint": "http://other.example/token"}
        async with relying_party(provider) as party:
            with pytest.raises(IdentityMisconfigured, match="unencrypted"):
                await party.begin(BACK, "state", "nonce", VERIFIER)
    provider.url = "http://id.example"
    with pytest.raises(SettingsError, match="unencrypted"):
        async with relying_party(provider):
            pass
    provider.url = "https://id.example"
    with pytest.raises(SettingsError, match="groups_claim"):
        async with relying_party(provider, allowed_groups=("staff",)):
            pass


async def test_the_outbound_policy_counts_for_providers() -> None:
    settings = OidcSettings(kind="oidc", issuer="https://id.example", client_id=CLIENT)
    party = OidcProvider("House", settings, None, OutboundGate(OutboundPolicy("offline")))
    with pytest.raises(IdentityMisconfigured, match=r"offline.*private_addresses"):
        await party.begin(BACK, "state", "nonce", VERIFIER)
    await party.close()
    assert OutboundPolicy("listed").refusal("https://id.example", "identity") is None
    assert OutboundPolicy("eu").refusal("https://10.0.0.5", "identity") is None


async def test_the_provider_ends_sessions() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        token = provider.logout_token(sid="s1", sub="u1")
        notice = await party.read_logout_token(token)
        assert (notice.issuer, notice.subject, notice.provider_session) == (f"oidc:{provider.url}", "u1", "s1")
        with pytest.raises(IdentityUnverified, match="before"):
            await party.read_logout_token(token)
        for forged in (
            provider.logout_token(),
            provider.logout_token(sub="u1", nonce="n"),
            provider.logout_token(sub="u1", events={}),
            provider.logout_token(sub="u1", aud="other"),
            provider.logout_token(sub="u1", iss="https://other.example"),
            provider.logout_token(sub="u1", iat=int(time.time()) - 400),
            provider.logout_token(sub="u1", jti=None),
            sign_as(provider)({"sub": "u1"}),
        ):
            with pytest.raises(IdentityUnverified):
                await party.read_logout_token(forged)


async def test_we_end_the_session_of_the_provider() -> None:
    async with openid_provider() as provider, relying_party(provider) as party:
        address = await party.logout_url("the.id.token", "http://127.0.0.1:1/")
        assert address is not None
        assert dict(parse_qsl(urlsplit(address).query)) == {
            "client_id": CLIENT,
            "id_token_hint": "the.id.token",
            "post_logout_redirect_uri": "http://127.0.0.1:1/",
        }


async def test_a_person_signs_in_at_a_provider_that_others_wrote() -> None:
    with served_mock() as url:
        settings = OidcSettings(kind="oidc", issuer=url, client_id=CLIENT, groups_claim="groups")
        party = OidcProvider("Mock", settings, SECRET, OutboundGate())
        async with aiohttp.ClientSession() as http:
            address = await party.begin(BACK, "state", "nonce", VERIFIER)
            async with http.post(address, data={"sub": "ada"}, allow_redirects=False) as reply:
                back = urlsplit(reply.headers["Location"])
        query = dict(parse_qsl(back.query))
        assert query["state"] == "state"
        identity = (await party.finish(query, BACK, "nonce", VERIFIER)).identity
        assert (identity.subject, identity.email, identity.email_verified) == ("ada", "ada@example.eu", True)
        assert identity.groups == ("staff",)
        with pytest.raises(SignInExpired):
            await party.finish(query, BACK, "nonce", VERIFIER)
        await party.close()


@contextmanager
def served_mock() -> Generator[str]:
    """Run oidc-provider-mock in a process of its own: it warns of what it is made of."""
    port = free_port()
    ada = {"sub": "ada", "email": "ada@example.eu", "email_verified": True, "groups": ["staff"]}
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    command += ["--user-claims", orjson.dumps(ada).decode()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                assert process.poll() is None, "the provider ended"
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
