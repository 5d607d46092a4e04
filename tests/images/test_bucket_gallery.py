"""Images in a bucket that the database doesn't know: set aside, found by `eclair lost`, or left to their owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.images import gallery as gallery_module
from eclair.images.gallery import Gallery
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.blob_stores.blob_bucket import BlobBucket
from eclair.storage.blobs import Blobs
from eclair.storage.lost import erase_lost_in, list_lost_in
from tests.s3_server import S3Server

IMAGE = GeneratedImage(
    id="pic_a",
    owner=LOCAL_PRINCIPAL.id,
    conversation=None,
    created=1,
    prompt="bees",
    model="clip-art",
    media="image/png",
    width=1,
    height=1,
    size=0,
    blob="",
    thumbnail="",
)


@pytest.fixture
def store(s3: S3Server) -> BlobBucket:
    return BlobBucket(s3.new_place())


async def test_unknown_images_are_set_aside_once_they_are_old(
    storage: Storage, store: BlobBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(tmp_path / "pictures", store)
    gallery = Gallery(storage.images, blobs)
    await gallery.add(LOCAL_PRINCIPAL, IMAGE, b"bees", b"small bees")
    unknown = await blobs.put(b"wasps")
    await gallery._tidy()  # pyright: ignore[reportPrivateUsage]
    assert await blobs.exists(unknown), "another server may just be adding it"
    monkeypatch.setattr(gallery_module, "MIN_UNKNOWN_AGE_S", -1.0)
    await gallery._tidy()  # pyright: ignore[reportPrivateUsage]
    assert not await blobs.exists(unknown)
    (lost,) = await list_lost_in(store)
    assert (lost.folder, lost.count, lost.size) == ("pictures", 1, 5)
    await erase_lost_in(store)
    assert await list_lost_in(store) == []
    assert len(await blobs.list_blobs()) == 2


async def test_a_database_that_knows_none_of_a_bucket_leaves_it_alone(
    storage: Storage, store: BlobBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "MIN_UNKNOWN_AGE_S", -1.0)
    blobs = Blobs(tmp_path / "pictures", store)
    name = await blobs.put(b"of another")
    await Gallery(storage.images, blobs)._tidy()  # pyright: ignore[reportPrivateUsage]
    assert await blobs.exists(name)
