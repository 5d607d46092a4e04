"""Keys that the servers of an installation share: each has the database's in a data folder of its own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from eclair.provenance.certificates import AUTHORITY, FOLDER, RENEWAL_MARGIN, SIGNING, Certificates
from eclair.provenance.watermark_keys import KEY_FILE, WatermarkKeys
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.shared_keys import share_keys


@pytest.fixture
def servers(tmp_path: Path) -> tuple[Settings, Settings]:
    """Two with data folders of their own, one secret, and one database, in whose place the test has a storage."""
    secret = tmp_path / "secret.key"
    secret.write_text(secrets.token_hex(32))
    first = Settings(data_dir=tmp_path / "a", database_url="postgresql://unused", secret_key_file=secret)
    second = replace(first, data_dir=tmp_path / "b")
    for each in (first, second):
        each.data_dir.mkdir(0o700)
    return first, second


def signing_of(settings: Settings) -> bytes:
    return (settings.data_dir / FOLDER / SIGNING).read_bytes()


async def test_a_renewed_certificate_comes_to_all_and_stays(
    servers: tuple[Settings, Settings], storage: Storage
) -> None:
    first, second = servers
    for each in servers:
        await share_keys(each, storage)
    old = signing_of(first)
    assert signing_of(second) == old
    late = Certificates.configured(first).signing().expires - RENEWAL_MARGIN / 2
    Certificates.configured(first, late.timestamp).signing()
    renewed = signing_of(first)
    assert renewed != old
    await share_keys(first, storage)
    for each in (second, first):  # the second began with the old one
        await share_keys(each, storage)
        assert signing_of(each) == renewed
    assert [file.read_bytes() for file in (second.data_dir / FOLDER).glob(f"{SIGNING}.*")] == [old]


async def test_damaged_keys_of_one_server_come_to_no_other(
    servers: tuple[Settings, Settings], storage: Storage
) -> None:
    first, second = servers
    for each in servers:
        await share_keys(each, storage)
    good = {path.name: path.read_bytes() for path in (first.data_dir / FOLDER).iterdir()}
    (second.data_dir / FOLDER / SIGNING).write_bytes(good[SIGNING][:200])
    (second.data_dir / FOLDER / KEY_FILE).write_bytes(good[KEY_FILE][:-9] + b"\n")
    for each in (second, first):
        await share_keys(each, storage)
        found = each.data_dir / FOLDER
        assert {name: (found / name).read_bytes() for name in (AUTHORITY, SIGNING, KEY_FILE)} == good


async def test_keys_that_were_added_to_a_file_come_to_all(servers: tuple[Settings, Settings], storage: Storage) -> None:
    first, second = servers
    for each in servers:
        await share_keys(each, storage)
    current, former = WatermarkKeys.configured(first).current(), secrets.token_bytes(32)
    with (second.data_dir / FOLDER / KEY_FILE).open("a") as file:
        file.write(f"{former.hex()}\n")
    for each in (second, first):
        await share_keys(each, storage)
        assert WatermarkKeys.configured(each).all() == [former, current]
