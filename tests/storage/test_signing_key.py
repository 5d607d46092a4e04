"""The signing key of an installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.errors import SettingsError
from eclair.storage.signing_key import SigningKey, decode_key, encode_key, is_signed_by, key_fingerprint


def test_a_key_is_made_once_for_its_owner_alone_and_signs(tmp_path: Path) -> None:
    path = tmp_path / "data" / "signing.key"
    key = SigningKey(path)
    signature = key.sign("note", b"text")
    assert path.stat().st_mode & 0o777 == 0o600
    public = SigningKey(path).public()
    assert is_signed_by(public, "note", b"text", signature)
    assert not is_signed_by(public, "note", b"texT", signature)
    assert not is_signed_by(public, "bill", b"text", signature)
    assert not is_signed_by(SigningKey(tmp_path / "other").public(), "note", b"text", signature)
    assert not is_signed_by(public[:-1], "note", b"text", signature)
    assert not is_signed_by(public, "note", b"text", signature[:-1])
    assert len(key_fingerprint(public)) == 16


def test_a_file_without_a_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_text("c2hvcnQ=\n")
    with pytest.raises(SettingsError, match="holds no key"):
        SigningKey(path).public()
    assert path.read_text() == "c2hvcnQ=\n"


def test_texts_of_keys_have_one_form(tmp_path: Path) -> None:
    public = SigningKey(tmp_path / "signing.key").public()
    text = encode_key(public)
    assert decode_key(text) == public
    for other in (text + "=", text + " ", text[:-1], "é", "+" + text[1:] if text[0] != "+" else "/", ""):
        assert decode_key(other) != public
