"""Puts together what draws: the gallery that keeps what is made, and the studio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from eclair.documents.seeing import Seeing
from eclair.idle import Idle
from eclair.marks.marking import Marks
from eclair.pictures.base import Generator
from eclair.pictures.gallery import Gallery
from eclair.pictures.looking import Looking
from eclair.pictures.sources import Sources
from eclair.pictures.studio import Studio
from eclair.settings import Settings
from eclair.store.base import Store
from eclair.store.blobs import Blobs


def open_gallery(settings: Settings, store: Store) -> Gallery:
    """Where pictures are kept; to be started before use."""
    return Gallery(store.pictures, Blobs(settings.data_dir / "pictures"))


@asynccontextmanager
async def open_studio(
    settings: Settings,
    store: Store,
    gallery: Gallery,
    files: Blobs,
    seeing: Seeing,
    marks: Marks,
    idle: Idle,
    given: Sequence[Generator],
) -> AsyncGenerator[Studio]:
    """`given` are the generators; `files` has the bytes of files that are edited."""
    looking = Looking()
    sources = Sources(gallery, store.documents, files, seeing, looking)
    studio = Studio(
        given,
        gallery,
        sources,
        looking,
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
        await looking.close()
