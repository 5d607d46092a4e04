"""LDAP against OpenLDAP: names, passwords, groups, encryption, and what is wrong with a directory."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import Any

import pytest
from cryptography import x509

from eclair.errors import IdentityMisconfigured, IdentityUnavailable, NotAdmitted, SettingsError
from eclair.identity.ldap import LdapDirectory, fold_dn
from eclair.identity_settings import LdapSettings
from eclair.network.gate import OutboundGate
from tests.identity.directory import BASE, READER, READER_PASSWORD, Directory, big_group, directory, free_port
from tests.network.gates import Rows
from tests.network.https import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"), [x509.DNSName("localhost")])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Generator[Directory]:
    with directory(tmp_path_factory.mktemp("slapd"), authority, big_group(50_000)) as running:
        yield running


def open_directory(url: str, authority: Authority, password: str = READER_PASSWORD, **settings: Any) -> LdapDirectory:
    values: dict[str, Any] = {"base_dn": BASE, "bind_dn": READER, "ca_file": authority.certificates} | settings
    return LdapDirectory("House", LdapSettings(kind="ldap", url=url, **values), password, OutboundGate())


async def test_a_person_signs_in(house: Directory, authority: Authority) -> None:
    identity = await open_directory(house.secure_url, authority).check("ada", "ada's secret")
    assert identity is not None
    assert identity.issuer == "ldap:localhost"
    assert uuid.UUID(identity.subject)
    assert (identity.name, identity.display_name, identity.email) == ("ada", "Ada L.", "ada@example.eu")
    assert identity.groups == ("staff", "Labs, Paris")
    assert (identity.role, identity.email_verified) == (None, False)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("", "ada's secret"),
        ("nobody", "ada's secret"),
        ("*", "ada's secret"),
        ("a*", "ada's secret"),
        ("ada)(uid=*", "ada's secret"),
        ("ada)(|(uid=*", "ada's secret"),
        ("ada\0", "ada's secret"),
        ("ada\\2a", "ada's secret"),
        (f"uid=ada,ou=people,{BASE}", "ada's secret"),
        ("reader", READER_PASSWORD),
    ],
)
async def test_nobody_else_comes_in(house: Directory, authority: Authority, name: str, password: str) -> None:
    assert await open_directory(house.secure_url, authority).check(name, password) is None


async def test_two_people_of_one_name_are_nobody(house: Directory, authority: Authority) -> None:
    wide = open_directory(house.secure_url, authority, user_filter="(|(uid={name})(objectClass=inetOrgPerson))")
    assert await wide.check("ada", "ada's secret") is None


async def test_start_tls_and_who_vouches_for_the_directory(house: Directory, authority: Authority) -> None:
    assert await open_directory(house.url, authority).check("ada", "ada's secret")
    assert await open_directory(house.url, authority, start_tls=False).check("ada", "ada's secret")
    for url in (house.url, house.secure_url):
        with pytest.raises(IdentityUnavailable, match=r"House can't be reached .*certificate"):
            await open_directory(url, authority, ca_file=None).check("ada", "ada's secret")
        other = url.replace("localhost", "127.0.0.1")
        with pytest.raises(IdentityUnavailable, match=r"House can't be reached .*certificate"):
            await open_directory(other, authority).check("ada", "ada's secret")


async def test_a_group_of_fifty_thousand_is_found_without_reading_its_members(
    house: Directory, authority: Authority
) -> None:
    found = open_directory(house.secure_url, authority, group_filter="(member={dn})")
    identity = await found.check("ada", "ada's secret")
    assert identity is not None
    assert set(identity.groups or ()) == {"staff", "Labs, Paris", "everybody"}


async def test_groups_decide_on_access_and_role(house: Directory, authority: Authority) -> None:
    settings: dict[str, Any] = {
        "roles": {"admin": ("boss",), "auditor": (f"CN=Labs\\, Paris, ou=groups, {BASE}",)},
        "allowed_groups": ("STAFF",),
    }
    wide = open_directory(house.secure_url, authority, **settings)
    ada, bob = await wide.check("ada", "ada's secret"), await wide.check("bob", "bob's secret")
    assert ada is not None
    assert bob is not None
    assert (ada.role, bob.role) == ("member", "admin")
    narrow = open_directory(house.secure_url, authority, group_base_dn=f"OU=groups, {BASE}", **settings)
    bob = await narrow.check("bob", "bob's secret")
    assert bob is not None
    assert (bob.role, bob.groups) == ("member", ("staff",)), "a group elsewhere of the same name gives no role"
    strict = open_directory(house.secure_url, authority, allowed_groups=("boss",))
    with pytest.raises(NotAdmitted, match="ask your administrator"):
        await strict.check("ada", "ada's secret")


async def test_a_renamed_person_stays_the_same(house: Directory, authority: Authority) -> None:
    dn = house.add_person("eve", "Eve", "eve@example.eu", "eve's secret")
    before = await open_directory(house.secure_url, authority).check("eve", "eve's secret")
    house.admin.modify_dn(dn, "uid=eva")
    after = await open_directory(house.secure_url, authority).check("eva", "eve's secret")
    assert before is not None
    assert after is not None
    assert (after.subject, after.name) == (before.subject, "eva")


async def test_what_is_wrong_with_a_directory_is_said(house: Directory, authority: Authority) -> None:
    with pytest.raises(IdentityUnavailable, match="House can't be reached"):
        await open_directory(f"ldap://127.0.0.1:{free_port()}", authority).check("ada", "ada's secret")
    with pytest.raises(IdentityMisconfigured, match="bind_dn"):
        await open_directory(house.secure_url, authority, "wrong").check("ada", "ada's secret")
    with pytest.raises(IdentityMisconfigured, match="base_dn"):
        await open_directory(house.secure_url, authority, base_dn="dc=elsewhere").check("ada", "ada's secret")
    with pytest.raises(IdentityMisconfigured, match="user_filter"):
        await open_directory(house.secure_url, authority, user_filter="(uid={name}").check("ada", "ada's secret")


def test_unsafe_settings_are_refused(authority: Authority) -> None:
    with pytest.raises(SettingsError, match="unencrypted"):
        open_directory("ldap://dc.example", authority, start_tls=False)
    with pytest.raises(SettingsError, match=r"\{name\}"):
        open_directory("ldaps://dc.example", authority, user_filter="(uid=*)")


async def test_the_egress_log_has_each_look_up(authority: Authority) -> None:
    rows = Rows()
    settings = LdapSettings(kind="ldap", url="ldaps://dc.example", base_dn=BASE)
    with pytest.raises(IdentityMisconfigured, match="offline"):
        await LdapDirectory("House", settings, None, OutboundGate(recorder=rows)).check("ada", "ada's secret")
    (row,) = rows.calls
    assert (row.purpose, row.method, row.host, row.verdict) == ("identity", "LDAP", "dc.example", "refused")


def test_names_of_groups_are_compared_as_directories_do() -> None:
    assert fold_dn("CN=Staff, OU=Groups,DC=a") == fold_dn("cn=staff,ou=groups, dc=A")
