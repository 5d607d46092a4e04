"""Admission and the settings of providers: who comes in, as what, and what is said of them beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair import settings as settings_module
from eclair.errors import NotAdmitted, SettingsError
from eclair.identity.admission import admit
from eclair.identity.providers import IdentityProviders
from eclair.identity_settings import LdapSettings, OidcSettings, ProviderSettings, SamlSettings
from eclair.network.gate import OutboundGate
from eclair.outgoing_data import list_outgoing_data
from eclair.schema.people import ProvidedIdentity
from eclair.settings import Settings

ADA = ProvidedIdentity(issuer="oidc:x", subject="1", name="ada", display_name="Ada")


@pytest.mark.parametrize(
    ("settings", "names", "role"),
    [
        (ProviderSettings(), {"boss"}, None),
        (ProviderSettings(default_role="guest"), set[str](), "guest"),
        (ProviderSettings(roles={"admin": ("boss",), "guest": ("all",)}), {"all", "boss"}, "admin"),
        (ProviderSettings(roles={"admin": ("boss",)}), {"Boss"}, "member"),
    ],
)
def test_the_highest_role_counts(settings: ProviderSettings, names: set[str], role: str | None) -> None:
    assert admit("House", settings, ADA, names).role == role


def test_names_that_no_account_may_have_are_cut() -> None:
    odd = ProvidedIdentity(
        issuer="x",
        subject="1",
        name="n",
        display_name=" Ada\u202e\n L. " + "x" * 99,
        email="no address",
        email_verified=True,
    )
    identity = admit("House", ProviderSettings(), odd, ())
    assert identity.display_name.startswith("Ada L. xx")
    assert len(identity.display_name) == 80
    assert (identity.email, identity.email_verified) == (None, False)
    with pytest.raises(NotAdmitted):
        admit("House", ProviderSettings(allowed_domains=("example.eu",)), odd, ())


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "eclair.toml"
    file.write_text(text)
    return settings_module.load({"ECLAIR_CONFIG": str(file)}).settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('issuer = "https://a"', "set kind to oidc, ldap or saml"),
        ('kind = "oidc"\nissuer = "https://a"', "without client_id"),
        ('kind = "oidc"\nisuer = "https://a"\nissuer = "https://a"\nclient_id = "x"', "did you mean issuer"),
        ('kind = "ldap"\nurl = "https://a"\nbase_dn = "x"', "ldaps://"),
        ('kind = "oidc"\nissuer = "https://a"\nclient_id = "x"\nallowed_domains = ["@a.b"]', "mail domain"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(tmp_path, f"[identity.house]\n{text}\n")


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, '[identity.a]\nkind = "oidc"\nissuer = "https://a"\nclient_id = "x"\nclient_secret = 4711\n')
    assert "4711" not in caught.value.message


def test_secrets_come_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    oidc = OidcSettings(kind="oidc", issuer="https://a", client_id="x", client_secret_file=secret)
    assert IdentityProviders.open(Settings(identity={"a": oidc}), OutboundGate()).ways[0].name == "a"
    secret.write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        IdentityProviders.open(Settings(identity={"a": oidc}), OutboundGate())


def test_saml_is_off_until_somebody_turns_it_on(tmp_path: Path) -> None:
    saml = SamlSettings(kind="saml", metadata_file=tmp_path / "idp.xml")
    with pytest.raises(SettingsError, match=r"reviewed.*saml = true"):
        IdentityProviders.open(Settings(identity={"a": saml}), OutboundGate())


async def test_what_leaves_the_machine_names_the_providers(tmp_path: Path) -> None:
    providers = {
        "a": OidcSettings(kind="oidc", issuer="https://id.example/x", client_id="x"),
        "b": LdapSettings(kind="ldap", url="ldaps://dc.example", base_dn="dc=example"),
        "c": SamlSettings(kind="saml", metadata_file=Path("x")),
    }
    settings = Settings(data_dir=tmp_path, identity=providers, embedded=False)
    assert [each for each in await list_outgoing_data(settings) if each.kind == "identity"] == []
    on = Settings(data_dir=tmp_path, identity=providers, embedded=False, accounts="on")
    (found,) = [each for each in await list_outgoing_data(on) if each.kind == "identity"]
    assert found.hosts == ("id.example", "dc.example")
