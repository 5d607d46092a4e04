"""Keys are limited to a scope, to networks and to a time."""

from __future__ import annotations

import pytest

from eclair.accounts.key_rights import KeyRights, check_use
from eclair.errors import Forbidden, InvalidInput, Unauthorized
from eclair.storage.api_keys import StoredApiKey

KEY = ("key_a", "me", "laptop", b"\x01" * 32, 20)


def used(key: StoredApiKey, method: str = "GET", path: str = "/api/conversations", address: str = "10.0.0.7") -> None:
    check_use(key, method, path, address, 1000)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/api/chat", "/api/tags", "/api/embed"])
def test_a_key_for_programs_opens_what_they_use(path: str) -> None:
    used(StoredApiKey(*KEY, scope="v1"), "POST", path)


@pytest.mark.parametrize("path", ["/api/conversations", "/api/chat/x", "/api/keys", "/metrics", "/api/v1/models"])
def test_a_key_for_programs_opens_nothing_else(path: str) -> None:
    with pytest.raises(Forbidden, match=r"'laptop' is for programs under /v1"):
        used(StoredApiKey(*KEY, scope="v1"), "GET", path)


def test_a_key_for_reading_changes_nothing() -> None:
    key = StoredApiKey(*KEY, scope="read")
    used(key)
    used(key, "HEAD", "/v1/models")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(Forbidden, match="may read only"):
            used(key, method)


def test_a_key_ends() -> None:
    used(StoredApiKey(*KEY, expires=1001))
    with pytest.raises(Unauthorized, match="'laptop' ended on 1970-01-01"):
        used(StoredApiKey(*KEY, expires=1000))


@pytest.mark.parametrize("address", ["10.0.0.7", "::ffff:10.0.0.7", "2001:db8::1%eth0"])
def test_a_key_works_from_its_networks(address: str) -> None:
    used(StoredApiKey(*KEY, networks=("10.0.0.0/24", "2001:db8::/64")), address=address)


@pytest.mark.parametrize("address", ["10.0.1.7", "2001:db9::1", "", "unix"])
def test_a_key_works_from_nowhere_else(address: str) -> None:
    with pytest.raises(Forbidden, match="may not be used from"):
        used(StoredApiKey(*KEY, networks=("10.0.0.0/24", "2001:db8::/64")), address=address)


def test_networks_get_their_usual_form() -> None:
    rights = KeyRights(networks=(" 10.0.0.7/24", "10.0.0.0/24", "2001:DB8::1"))
    assert rights.networks == ("10.0.0.0/24", "2001:db8::1/128")


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ({"scope": "admin"}, "one of all, v1, read"),
        ({"networks": ("here",)}, "'here' is no address"),
        ({"networks": tuple(f"10.0.{n}.0/24" for n in range(51))}, "at most 50 networks"),
        ({"days": 0}, "1 to 3,660 days"),
        ({"days": 4000}, "1 to 3,660 days"),
    ],
)
def test_wrong_rights_are_told(rights: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        KeyRights(**rights)  # pyright: ignore[reportArgumentType]
