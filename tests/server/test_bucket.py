"""Files and images in the bucket of a real S3 server, through the HTTP door, and that server when it is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from eclair.doctor import examine
from eclair.documents import background_reading, ingest
from eclair.network import blob_calls
from eclair.settings import LoadedSettings, Settings
from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace, CallLimits
from eclair.storage.blob_stores.blob_encryption import MAGIC, BlobKeys
from eclair.storage.blob_stores.blob_store import StoredObject
from eclair.storage.blobs import Blobs
from tests.documents.files import pdf
from tests.images.support import SMALL, content
from tests.s3_server import S3Server, StoreRelay
from tests.server.test_documents import add, ready
from tests.server.test_transfer import carry_out, upload
from tests.support import Server, serving
from tests.transfer.support import sample

PAGE = pdf([[(72, 720, 12, "Bees dance.")]])


def in_bucket(settings: Settings, place: BucketPlace, key_file: Path | None = None) -> Settings:
    return replace(
        settings,
        embedder="off",
        blobs_url=place.url,
        blobs_endpoint=place.endpoint,
        blobs_region=place.region,
        blobs_access_key="key",
        blobs_secret_key="very-secret",
        blobs_key_file=key_file,
    )


async def stored(place: BucketPlace, folder: str) -> list[StoredObject]:
    bucket = BlobBucket(place)
    return [await bucket.open(each.key) async for each in bucket.list_objects(folder)]


def local_files(settings: Settings) -> list[Path]:
    return [
        path
        for name in ("files", "pictures", "imports")
        for path in (settings.data_dir / name).rglob("*")
        if path.is_file()
    ]


@pytest.fixture(params=["plain", "encrypted"])
async def bucket(
    request: pytest.FixtureRequest, settings: Settings, s3: S3Server, tmp_path: Path
) -> AsyncGenerator[tuple[Server, BucketPlace, bool]]:
    place, key_file = s3.new_place(), None
    is_encrypted = request.param == "encrypted"
    if is_encrypted:
        key_file = tmp_path / "blobs.keys"
        BlobKeys(key_file).rotate()
    async with serving(in_bucket(settings, place, key_file)) as server:
        yield server, place, is_encrypted


async def test_files_images_and_waiting_imports_live_in_the_bucket(bucket: tuple[Server, BucketPlace, bool]) -> None:
    server, place, is_encrypted = bucket
    assert (await server.get("/api/health/ready")).body["checks"]["files"]["ok"]
    file = await ready(server, await add(server, PAGE, "bees.pdf"))
    assert file["state"] == "ready", file
    path = f"/api/files/{file['id']}"
    whole = await server.get(f"{path}/content")
    assert (whole.status, whole.raw, whole.headers["accept-ranges"]) == (200, PAGE, "bytes")
    part = await server.get(f"{path}/content", {"Range": "bytes=10-19"})
    assert (part.status, part.raw) == (206, PAGE[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PAGE)}"
    assert (await server.get(f"{path}/content", {"Range": "bytes=-5"})).raw == PAGE[-5:]
    assert (await server.get(f"{path}/content", {"Range": f"bytes={len(PAGE)}-"})).status == 416
    stale = {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert (await server.get(f"{path}/content", stale)).raw == PAGE
    assert (await server.get(f"{path}/pages/1/picture?width=100")).raw.startswith(b"\x89PNG")

    await server.say(await server.begin(), "a blue apple", draw=dict(SMALL))
    (image,) = (await server.get("/api/pictures")).body["pictures"]
    shown = await content(server, image["id"])
    assert shown
    assert (await server.get(f"/api/pictures/{image['id']}/thumbnail")).raw.startswith(b"RIFF")
    objects = [*await stored(place, "files"), *await stored(place, "pictures")]
    assert len(objects) == 3
    assert [each.head.startswith(MAGIC) for each in objects] == [is_encrypted] * 3
    assert local_files(server.app.settings) == []

    assert (await server.call("DELETE", path)).status == 204
    assert (await server.get(f"{path}/content")).status == 404
    assert [each.head.startswith(b"going") for each in await stored(place, "files.going")] == [True]

    id = (await upload(server, sample("claude"))).body["id"]
    assert [each.head.startswith(MAGIC) for each in await stored(place, "imports")] == [is_encrypted]
    assert (await carry_out(server, id))[-1]["finished"]["conversations"] == 2
    assert [each.head.startswith(b"going") for each in await stored(place, "imports.going")] == [True]
    again = await ready(server, await add(server, PAGE, "bees.pdf"))
    assert (await server.get(f"/api/files/{again['id']}/content")).raw == PAGE
    assert await stored(place, "files.going") == [], "the mark is withdrawn"


async def test_uploads_do_not_wait_for_each_others_calls_to_the_store(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, exists = asyncio.Barrier(2), Blobs.exists

    async def wait_for_another(blobs: Blobs, name: str) -> bool:
        await asked.wait()
        return await exists(blobs, name)

    async with serving(in_bucket(settings, s3.new_place())) as server:
        monkeypatch.setattr(Blobs, "exists", wait_for_another)
        async with asyncio.timeout(30):
            added = await asyncio.gather(add(server, "The tower is high."), add(server, "The bridge is long."))
    assert len({file["id"] for file in added}) == 2


async def test_bytes_that_went_while_an_upload_waited_are_sent_again(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [False, True]

    async def erased(blobs: Blobs, name: str) -> bool:
        return found.pop()

    async with serving(in_bucket(settings, s3.new_place())) as server:
        monkeypatch.setattr(ingest, "MAX_UNCHECKED_S", 0.0)
        monkeypatch.setattr(Blobs, "exists", erased)
        reply = await server.post("/api/files?name=tower.txt", data=b"The tower is high.")
        assert (reply.status, found) == (409, [])
        assert (await server.get("/api/files")).body["files"] == []


async def test_changed_bytes_break_off_a_download(settings: Settings, s3: S3Server, tmp_path: Path) -> None:
    place = s3.new_place()
    async with serving(in_bucket(settings, place)) as server:
        file = await add(server, "The tower is high.")
        (found,) = await stored(place, "files")
        damaged = tmp_path / "damaged"
        await asyncio.to_thread(damaged.write_bytes, b"The tower is gone.")
        await BlobBucket(place).write(found.key, damaged, replace=True)
        reply = await server.get(f"/api/files/{file['id']}/content")
        assert reply.status >= 500
        assert "was changed in s3://" in reply.error["message"]


@pytest.mark.parametrize("ignores", [b"", b"if-match"])
async def test_the_doctor_says_if_files_could_be_lost_as_they_are_erased(
    settings: Settings, s3: S3Server, ignores: bytes
) -> None:
    place, relay = s3.new_place(), StoreRelay(s3.url, ignores)
    await relay.connect()
    inside = in_bucket(settings, replace(place, endpoint=relay.url))
    report = await examine(LoadedSettings(inside, {}, settings.data_dir / "eclair.toml"))
    await relay.close()
    (check,) = [check for check in report.checks if check.name == "Files"]
    assert check.state == ("note" if ignores else "ok")
    assert ("replaces an object whatever If-Match says" in check.detail) == bool(ignores)
    assert [each async for each in BlobBucket(place).list_objects("probe")] == []


async def test_a_store_that_is_down_is_said(settings: Settings) -> None:
    place = BucketPlace("bucket", "", "http://127.0.0.1:9", "us-east-1")
    async with serving(in_bucket(settings, place)) as server:
        reply = await server.post("/api/files?name=bees.txt", data=b"Bees dance.")
        assert reply.status >= 500
        assert "s3://bucket at 127.0.0.1:9 does not answer as it should" in reply.error["message"]
        assert "very-secret" not in reply.raw.decode()
        assert (await server.get("/api/files")).body["files"] == []
        report = await server.get("/api/health/ready")
        assert report.status == 503
        assert "does not answer" in report.body["checks"]["files"]["detail"]
        assert (await server.get("/api/health/ready?engines=false")).status == 200, "people can still read"
        config = await server.get("/api/settings")
        assert "very-secret" not in config.raw.decode()


@pytest.fixture
async def relayed(
    settings: Settings, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Server, BucketPlace, StoreRelay]]:
    """A server whose store can be taken away; its calls are made again within a third of a second."""
    monkeypatch.setattr(blob_calls, "BlobBucket", partial(BlobBucket, limits=CallLimits(backoff_s=0.02)))
    place, relay = s3.new_place(), StoreRelay(s3.url)
    await relay.connect()
    async with serving(in_bucket(settings, replace(place, endpoint=relay.url))) as server:
        yield server, place, relay
    await relay.close()


async def test_a_store_that_goes_in_mid_upload_and_comes_back_is_not_noticed(
    relayed: tuple[Server, BucketPlace, StoreRelay],
) -> None:
    server, place, relay = relayed
    data = b"a" * 3_000_000 + b"middle" + b"z" * 3_000_000
    relay.cut_at = b"middle"
    adding = asyncio.create_task(add(server, data, "letters.txt"))
    await relay.was_cut.wait()
    await relay.connect()
    file = await adding
    assert (await server.get(f"/api/files/{file['id']}/content")).raw == data
    assert len(await stored(place, "files")) == 1


async def test_an_upload_whose_store_stays_away_leaves_nothing_and_can_be_sent_again(
    relayed: tuple[Server, BucketPlace, StoreRelay],
) -> None:
    server, place, relay = relayed
    data = b"a" * 3_000_000 + b"middle" + b"z" * 3_000_000
    relay.cut_at = b"middle"
    reply = await server.post("/api/files?name=letters.txt", data=data)
    assert reply.status >= 500
    assert "does not answer as it should" in reply.error["message"]
    assert (await server.get("/api/files")).body["files"] == []
    assert await stored(place, "files") == []
    assert local_files(server.app.settings) == []
    await relay.connect()
    file = await add(server, data, "letters.txt")
    assert (await server.get(f"/api/files/{file['id']}/content")).raw == data


async def test_a_document_whose_store_goes_while_it_is_read_is_read_once_that_is_back(
    relayed: tuple[Server, BucketPlace, StoreRelay], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _, relay = relayed
    monkeypatch.setattr(background_reading, "RETRY_DELAY_S", 0.05)
    text = "The tower is high.\n" * 500
    relay.cut_at = f"bytes=0-{len(text) - 1}".encode()  # its reader asks for all of it
    file = await add(server, text)
    async with asyncio.timeout(60):
        while server.app.ingestor.read_error is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await server.get(f"/api/files/{file['id']}")).body["state"] in ("queued", "reading")
    assert (await server.get(f"/api/files/{file['id']}/content")).status >= 500
    await relay.connect()
    assert (await ready(server, file))["state"] == "ready"
    assert (await server.get(f"/api/files/{file['id']}/content")).raw == text.encode()
