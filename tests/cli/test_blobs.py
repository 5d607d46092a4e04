"""`eclair blobs` moves files between the folder and a bucket, checks and encrypts them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from eclair.storage.blob_stores.blob_encryption import MAGIC, BlobKeys
from eclair.storage.blobs import Blobs
from eclair.storage.open import open_storage
from eclair.storage.secrets import create_secret
from tests.cli.test_cli import Eclair
from tests.s3_server import S3Server


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def bucket_environ(server: S3Server, **more: str) -> dict[str, str]:
    place = server.new_place()
    return {
        "ECLAIR_BLOBS_ENDPOINT": server.url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "url": place.url,
        **more,
    }


def fill(data: Path) -> tuple[Blobs, list[str]]:
    """Have two files and an image in a data folder, and a database that knows none of them."""
    asyncio.run(open_storage(data).close())
    files, pictures = Blobs(data / "files"), Blobs(data / "pictures")

    async def put() -> list[str]:
        return [await files.put(b"one"), await files.put(b"two"), await pictures.put(b"a picture")]

    return files, asyncio.run(put())


def test_files_are_moved_to_a_bucket_and_back(run: Eclair, s3: S3Server, tmp_path: Path) -> None:
    data = tmp_path / "data"
    files, _ = fill(data)
    env = {"ECLAIR_DATA_DIR": str(data), **bucket_environ(s3)}
    url = env.pop("url")
    said = run("blobs", "--copy-to", url, **env).stdout
    assert said.startswith("3 files were copied, 0 were there already; all are compared.")
    assert f"set ECLAIR_BLOBS_URL={url}" in said
    asyncio.run(files.put(b"three"))
    assert run("blobs", "--copy-to", url, **env).stdout.startswith("1 files were copied, 3 were there already")
    inside = {**env, "ECLAIR_BLOBS_URL": url}
    assert f"files: 3, 11 bytes, in {url} at 127.0.0.1" in run("blobs", **inside).stdout
    assert run("blobs", "--check", **inside).stdout == "All 4 files are whole.\n"
    away = {**inside, "ECLAIR_DATA_DIR": str(tmp_path / "elsewhere")}
    assert run("blobs", "--copy-to", "folder", **away).stdout.startswith("4 files were copied")
    assert run("blobs", "--check", ECLAIR_DATA_DIR=str(tmp_path / "elsewhere")).stdout == "All 4 files are whole.\n"


def test_a_damaged_file_is_found(run: Eclair, tmp_path: Path) -> None:
    data = tmp_path / "data"
    files, names = fill(data)
    files.path(names[0]).write_bytes(b"one!")
    checked = run("blobs", "--check", ECLAIR_DATA_DIR=str(data))
    assert checked.returncode != 0
    assert "was changed on disk" in checked.stderr
    assert "1 files are damaged; restore them from a backup." in checked.stderr


def test_files_are_encrypted_and_their_key_rotated(run: Eclair, tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "blobs.keys"
    files, names = fill(data)
    env = {"ECLAIR_DATA_DIR": str(data), "ECLAIR_BLOBS_KEY_FILE": str(keys)}
    refused = run("blobs", "--encrypt", **env)
    assert "is missing" in refused.stderr
    said = run("blobs", "--rotate-key", **env).stdout
    assert "3 files were encrypted with the newest key, 0 were already." in said
    assert files.path(names[0]).read_bytes().startswith(MAGIC)
    assert keys.stat().st_mode & 0o077 == 0
    assert "0 files were encrypted with the newest key, 3 were already." in run("blobs", "--encrypt", **env).stdout
    assert "3 files were encrypted" in run("blobs", "--rotate-key", **env).stdout
    assert len(keys.read_bytes().split()) == 2
    assert run("blobs", "--check", **env).stdout == "All 3 files are whole.\n"
    assert "encrypted with a key that isn't here" in run("blobs", "--check", ECLAIR_DATA_DIR=str(data)).stderr


def test_a_key_of_several_servers_is_not_changed_at_one_alone(run: Eclair, tmp_path: Path) -> None:
    keys = tmp_path / "blobs.keys"
    env = {"ECLAIR_DATABASE_URL": "postgresql://eclair@127.0.0.1:9/eclair", "ECLAIR_BLOBS_KEY_FILE": str(keys)}
    refused = run("blobs", "--rotate-key", **env)
    assert refused.returncode != 0
    assert "those without a new key could not read what it encrypts" in refused.stderr
    assert not keys.exists()


async def test_several_servers_can_read_all_while_they_get_a_new_key(tmp_path: Path) -> None:
    old, new = create_secret(), create_secret()
    files = [tmp_path / name for name in ("a.keys", "b.keys")]
    for file in files:
        file.write_bytes(old)
    servers = [Blobs(tmp_path / "files", keys=BlobKeys(file)) for file in files]
    stored = [await servers[0].put(b"0")]
    for keys in ([old, new], [new, old]):
        for file in files:
            file.with_suffix(".part").write_bytes(b"\n".join(keys))
            file.with_suffix(".part").replace(file)
            stored += [await server.put(f"{server} {len(stored)}".encode()) for server in servers]
            for server in servers:
                for name in stored:
                    async with server.open_path(name) as path:
                        assert hashlib.sha256(path.read_bytes()).hexdigest() == name
    assert [await servers[0].reencrypt(name) for name in stored].count(False) == 3, "those of the new key"


def test_a_place_that_cannot_be_used_is_named(run: Eclair, s3: S3Server, tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data)
    env = {"ECLAIR_DATA_DIR": str(data), **bucket_environ(s3)}
    del env["url"]
    assert "There is no bucket nothere" in run("blobs", "--copy-to", "s3://nothere", **env).stderr
    unnamed = run("blobs", "--copy-to", "s3://nothere", ECLAIR_DATA_DIR=str(data), AWS_ACCESS_KEY_ID="").stderr
    assert "There are no credentials for s3://nothere" in unnamed
    assert "names no bucket" in run("blobs", "--copy-to", "https://x", **env).stderr
    assert "are in" in run("blobs", "--copy-to", "folder", **env).stderr
    doctor = run("doctor", ECLAIR_BLOBS_URL="s3://nothere", **env)
    assert "There is no bucket nothere" in doctor.stdout + doctor.stderr
