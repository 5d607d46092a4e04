"""Puts together what draws: the gallery that keeps what is made, and the studio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from eclair.documents.vision import Seeing
from eclair.images.base import Generator
from eclair.images.gallery import Gallery
from eclair.images.inputs import Sources
from eclair.images.inspect import ImageInspector
from eclair.images.service import Studio
from eclair.provenance.service import Provenance
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.util.background import Idle


def open_gallery(settings: Settings, storage: Storage) -> Gallery:
    """Where pictures are kept; to be started before use."""
    return Gallery(storage.images, Blobs(settings.data_dir / "pictures"))


@asynccontextmanager
async def open_studio(
    settings: Settings,
    storage: Storage,
    gallery: Gallery,
    files: Blobs,
    seeing: Seeing,
    marks: Provenance,
    idle: Idle,
    given: Sequence[Generator],
) -> AsyncGenerator[Studio]:
    """`given` are the generators; `files` has the bytes of files that are edited."""
    inspector = ImageInspector()
    sources = Sources(gallery, storage.files, files, seeing, inspector)
    studio = Studio(
        given,
        gallery,
        sources,
        inspector,
        marks,
        idle,
        model=settings.picture_model,
        seconds=settings.picture_seconds,
        at_once=settings.pictures_at_once,
    )
    try:
        yield studio
    finally:
        await studio.close()
        await inspector.close()
