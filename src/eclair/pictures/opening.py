"""Puts together what draws: the generators there are, the gallery that keeps what they make, and the studio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from eclair.documents.seeing import Seeing
from eclair.idle import Idle
from eclair.marks import Marks
from eclair.pictures.base import Generator
from eclair.pictures.gallery import Gallery
from eclair.pictures.looking import Looking
from eclair.pictures.sources import Sources
from eclair.pictures.studio import Studio
from eclair.settings import Settings
from eclair.store.base import Store
from eclair.store.blobs import Blobs
from eclair.trust.door import Door


def generators(settings: Settings, door: Door) -> list[Generator]:
    """Those that the settings ask for, those of this machine first. Nothing is started or loaded."""
    found: list[Generator] = []
    if settings.scripted:
        from eclair.pictures.scripted import ScriptedGenerator

        found.append(ScriptedGenerator())
    return found


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
