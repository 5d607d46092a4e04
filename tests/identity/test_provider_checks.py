"""Checks of identity providers, as the administration and `eclair doctor` show them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from cryptography import x509

from eclair.doctor import examine
from eclair.identity.provider_checks import ProviderCheck, check_providers
from eclair.identity.providers import IdentityProviders
from eclair.identity_settings import IdentitySettings, LdapSettings, OidcSettings, SamlSettings
from eclair.network.gate import OutboundGate
from eclair.settings import Settings, load
from tests.identity.directory import BASE, READER, READER_PASSWORD, directory
from tests.identity.openid import CLIENT, openid_provider
from tests.identity.saml_idp import SamlIdp, new_certificate
from tests.network.https import Authority
from tests.server.test_sign_in import SESSION, Browser, house, openid, sign_in

DAY_S = 86_400


async def found(settings: Settings, provider: IdentitySettings, ahead: float = 0) -> ProviderCheck:
    """Check one provider, with a clock that is ahead."""
    settings = replace(settings, accounts="on", saml=True, identity={"it": provider})
    providers = IdentityProviders.open(settings, OutboundGate(), lambda: time.time() + ahead)
    try:
        (check,) = await check_providers(providers, time.time() + ahead)
    finally:
        await providers.close()
    return check


async def test_openid_providers(settings: Settings) -> None:
    async with openid_provider() as provider:
        it = OidcSettings(kind="oidc", name="House", issuer=provider.url, client_id=CLIENT)
        check = await found(settings, it)
        assert (check.fault, check.name, check.detail) == (None, "House", "answers, and signs with 1 key")
        check = await found(settings, it, ahead=100)
        assert (check.fault, check.is_broken) == ("clock", False)
        assert check.seconds in (-101, -100, -99)
        assert "behind this one" in check.detail
        provider.published = []
        check = await found(settings, it)
        assert (check.fault, check.is_broken) == ("misconfigured", True)
        assert "publishes no key" in check.detail
        check = await found(settings, replace(it, issuer=f"{provider.url}/other"))
        assert check.fault in ("unreachable", "misconfigured")
        provider.is_down = True
        assert (await found(settings, it)).fault == "unreachable"


async def test_directories(settings: Settings, tmp_path: Path) -> None:
    authority = Authority.made(tmp_path, [x509.DNSName("localhost")])
    with directory(tmp_path / "slapd", authority) as running:
        it = LdapSettings(
            kind="ldap",
            url=running.secure_url,
            base_dn=BASE,
            bind_dn=READER,
            bind_password=READER_PASSWORD,
            ca_file=authority.certificates,
        )
        assert (await found(settings, it)).fault is None
        check = await found(settings, replace(it, bind_password="wrong"))
        assert (check.fault, "check `bind_dn`" in check.detail) == ("misconfigured", True)
        assert (await found(settings, replace(it, base_dn="dc=none"))).fault == "misconfigured"
        assert (await found(settings, replace(it, ca_file=None))).fault == "unreachable"
    assert (await found(settings, it)).fault == "unreachable"


@pytest.mark.parametrize(("days", "fault"), [(100, None), (10, "certificate"), (-1, "misconfigured")])
async def test_certificates_of_saml(settings: Settings, tmp_path: Path, days: int, fault: str | None) -> None:
    file = tmp_path / "idp.xml"
    file.write_text(SamlIdp(*new_certificate(timedelta(days=days, hours=1))).metadata())
    check = await found(settings, SamlSettings(kind="saml", metadata_file=file))
    assert check.fault == fault, check.detail
    if fault is not None:
        assert check.expires is not None
        assert abs(check.expires / 1000 - time.time() - days * DAY_S) < 2 * 3600


async def test_metadata_that_ends_before_its_certificate(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "idp.xml"
    metadata = SamlIdp(*new_certificate(timedelta(days=100))).metadata()
    file.write_text(metadata.replace("<IDPSSODescriptor ", '<IDPSSODescriptor validUntil="2020-01-01T00:00:00Z" '))
    assert (await found(settings, SamlSettings(kind="saml", metadata_file=file))).fault == "misconfigured"


async def test_the_administration_shows_them_to_those_who_oversee(settings: Settings) -> None:
    provider_settings = {"groups_claim": "groups", "roles": {"auditor": ("revision",)}}
    async with openid_provider() as provider, house(settings, house=openid(provider, **provider_settings)) as server:
        await sign_in(member := Browser(server), provider)
        assert (await member.go("/api/sign-in-providers", more=SESSION)).status == 403
        provider.person["groups"] = ["revision"]
        await sign_in(auditor := Browser(server), provider)
        shown = (await auditor.go("/api/sign-in-providers", more=SESSION)).body
        assert shown["second_step"] == "optional"
        (found,) = shown["providers"]
        assert (found["id"], found["kind"], found["fault"]) == ("house", "oidc", None)


async def test_the_doctor_says_one_sentence_of_each(tmp_path: Path) -> None:
    async with openid_provider() as provider:
        tables = {
            "house": {"kind": "oidc", "name": "House", "issuer": provider.url, "client_id": CLIENT},
            "gone": {"kind": "ldap", "name": "Old", "url": "ldaps://127.0.0.1:1", "base_dn": BASE},
        }
        environment = {
            "ECLAIR_CONFIG": str(tmp_path / "none.toml"),
            "ECLAIR_DATA_DIR": str(tmp_path / "data"),
            "ECLAIR_ACCOUNTS": "on",
            "ECLAIR_EMBEDDED": "false",
            "ECLAIR_IDENTITY": orjson.dumps(tables).decode(),
        }
        report = await examine(load(environment))
    checks = {check.name: check for check in report.checks}
    assert (checks["Sign-in House"].state, checks["Sign-in House"].detail) == ("ok", "answers, and signs with 1 key.")
    assert checks["Sign-in Old"].state == "broken"
    assert "Old can't be reached" in checks["Sign-in Old"].detail
