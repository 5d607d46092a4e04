"""What is typed about a server becomes a checked value, or one sentence; keys are locked so that nothing else opens."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import InvalidInput, SettingsError
from eclair.llm.servers.jurisdiction import ServerLocation, known_providers, locate
from eclair.llm.servers.server_api import api_at
from eclair.llm.servers.service import check_country, check_key, check_models, check_name, check_url
from eclair.settings import Settings
from eclair.storage.secrets import KEY_FILE, Vault

hosts = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True)
paths = st.lists(st.sampled_from(["/v1", "/api", "/openai", "/v2"]), max_size=3).map("".join)


def tried(check: Callable[[str], str], text: str) -> tuple[str | None, str]:
    """The checked value, or None and why there is none."""
    try:
        return check(text), ""
    except InvalidInput as error:
        return None, error.message


@given(st.text(max_size=60) | st.text(alphabet="htps:/.[]@?#%0189a-\n", max_size=30))
def test_whatever_is_typed_is_an_address_or_refused_in_one_sentence(text: str) -> None:
    address, refusal = tried(check_url, text)
    if address is not None:
        assert address.startswith(("http://", "https://"))
        assert check_url(address) == address
    else:
        assert refusal.endswith(".")
        assert "\n" not in refusal


@given(st.sampled_from(["http", "https"]), hosts, st.none() | st.integers(1, 65535), paths, st.sampled_from(["", "/"]))
def test_an_address_keeps_what_counts(scheme: str, host: str, port: int | None, path: str, end: str) -> None:
    address = f"{scheme}://{host}{'' if port is None else f':{port}'}{path}"
    assert check_url(f"  {address}{end}\n") == address
    assert check_url(f"{address}/chat/completions") == address
    assert check_url(f"{address}/models/") == address


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "begin it with http"),
        ("10.0.0.5:8000", "begin it with http"),
        ("ftp://example.org", "not an address"),
        ("http://", "not an address"),
        ("http:///v1", "not an address"),
        ("http://example.org:99999/v1", "host and port"),
        ("http://example.org:0/v1", "not an address"),
        ("http://[::1/v1", "host and port"),
        ("http://a..b/v1", "not an address"),
        ("http://ada:secret@example.org/v1", "a login"),
        ("http://example.org/v1?key=secret", "a ? or #"),
        ("http://exa mple.org", "spaces"),
        ("http://example.org/\x07", "odd characters"),
        ("http://example.org/" + "a" * 3000, "too long"),
    ],
)
def test_what_is_no_address(typed: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault.replace("?", r"\?")) as caught:
        check_url(typed)
    assert "secret" not in caught.value.message


@given(st.text(max_size=50))
def test_a_name_is_taken_as_it_is_or_refused(text: str) -> None:
    plain = bool(text) and text.isascii() and text.isalnum() and len(text) <= 40
    name, _ = tried(check_name, text)
    assert name == text or (name is None and not plain)


@given(st.text(min_size=3, max_size=50))
def test_a_key_is_never_in_what_is_said_of_it(text: str) -> None:
    key, refusal = tried(check_key, text)
    assert key == text.strip() or text not in refusal


def test_other_fields() -> None:
    assert check_models(["a/b", "a/b", " c "]) == ("a/b", "c")
    assert (check_country(" fr "), check_country("")) == ("FR", None)
    for wrong in ("", "a\nb", "x" * 300):
        with pytest.raises(InvalidInput):
            check_models([wrong])
    for wrong in ("France", "F1"):
        with pytest.raises(InvalidInput):
            check_country(wrong)


@pytest.mark.parametrize(
    ("url", "stated", "found"),
    [
        ("http://127.0.0.1:8000/v1", None, ServerLocation("machine")),
        ("http://localhost/v1", "FR", ServerLocation("machine")),
        ("http://[::1]:1/v1", None, ServerLocation("machine")),
        ("http://10.1.2.3/v1", None, ServerLocation("network")),
        ("http://192.168.0.7:11434/v1", None, ServerLocation("network")),
        ("http://[fd00::1]/v1", None, ServerLocation("network")),
        ("http://rack:8000/v1", None, ServerLocation("network")),
        ("http://rack.local/v1", None, ServerLocation("network")),
        ("http://rack.intranet/v1", None, ServerLocation("network")),
        ("http://169.254.3.4/v1", None, ServerLocation("network")),
        ("http://box.localhost/v1", None, ServerLocation("machine")),
        ("https://api.mistral.ai/v1", None, ServerLocation("country", "FR", "Mistral")),
        ("https://mistral.ai.example.org/v1", None, ServerLocation("unknown")),
        ("https://notmistral.ai/v1", None, ServerLocation("unknown")),
        ("https://ai.example.org/v1", None, ServerLocation("unknown")),
        ("https://ai.example.org/v1", "DE", ServerLocation("country", "DE", None, stated=True)),
        ("http://10.1.2.3/v1", "DE", ServerLocation("country", "DE", None, stated=True)),
        ("https://my.openai.azure.com/openai/v1", "SE", ServerLocation("country", "US", "Azure")),
        ("https://my.openai.azure.com/openai/v1", None, ServerLocation("country", "US", "Azure")),
        ("http://8.8.8.8/v1", None, ServerLocation("unknown")),
    ],
)
def test_where_an_address_belongs(url: str, stated: str | None, found: ServerLocation) -> None:
    assert locate(url, stated) == found


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://anthropic.com.example.org/v1", None),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "openai"),
        ("https://storage.googleapis.com/v1", None),
        ("https://api.mistral.ai/v1", None),
    ],
)
def test_the_api_that_an_address_tells(url: str, api: str | None) -> None:
    assert api_at(url) == api


def test_every_provider_is_found_by_its_own_address() -> None:
    for provider in known_providers():
        if provider.url is not None:
            assert check_url(provider.url) == provider.url
            where = locate(provider.url)
            assert where == (
                ServerLocation("country", provider.country, provider.name)
                if provider.country
                else ServerLocation("machine")
            )
    assert len({provider.name for provider in known_providers()}) == len(known_providers())


def test_what_is_locked_opens_in_its_place_alone(tmp_path: Path) -> None:
    vault = Vault.configured(Settings(data_dir=tmp_path / "data"))
    locked = vault.encrypt("sk-sécret", "rack https://a")
    assert b"sk-" not in locked
    assert vault.encrypt("sk-sécret", "rack https://a") != locked
    assert vault.decrypt(locked, "rack https://a") == "sk-sécret"
    assert stat.S_IMODE((tmp_path / "data" / KEY_FILE).stat().st_mode) == 0o600
    for wrong, place_ in ((locked, "rack https://b"), (locked[:-1], "rack https://a"), (b"", "rack https://a")):
        with pytest.raises(SettingsError, match="put that file back"):
            vault.decrypt(wrong, place_)


def test_a_secret_that_is_lost_wrong_or_short_is_one_sentence(tmp_path: Path) -> None:
    ours = tmp_path / "data" / KEY_FILE
    locked = Vault.configured(Settings(data_dir=tmp_path / "data")).encrypt("sk", "here")
    kept = ours.read_bytes()
    ours.unlink()
    vault = Vault.configured(Settings(data_dir=tmp_path / "data"))
    with pytest.raises(SettingsError, match="is missing; put it back"):
        vault.decrypt(locked, "here")
    assert not ours.exists()
    vault.encrypt("other", "there")
    with pytest.raises(SettingsError, match="encrypted with another secret"):
        vault.decrypt(locked, "here")
    ours.write_bytes(kept)
    assert vault.decrypt(locked, "here") == "sk"
    given = tmp_path / "given"
    theirs = Vault.configured(Settings(data_dir=tmp_path / "data", secret_key_file=given))
    with pytest.raises(SettingsError, match="is missing"):
        theirs.encrypt("sk", "here")
    given.write_text("short\n")
    with pytest.raises(SettingsError, match="fewer than 32"):
        theirs.encrypt("sk", "here")
    given.write_bytes(os.urandom(40))
    assert theirs.decrypt(theirs.encrypt("sk", "here"), "here") == "sk"
