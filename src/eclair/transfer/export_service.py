"""Exports: one conversation as a file, or all of them as a zip that is written while it is sent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import time
import zipfile
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime

from eclair.chat.runs import Runs
from eclair.errors import NotFound
from eclair.images.gallery import Gallery
from eclair.schema.images import Picture
from eclair.storage.base import Storage
from eclair.transfer.export_view import Exported
from eclair.transfer.exporters import RENDERERS, Format

AT_ONCE = 100
"""Pictures that are listed together."""

IN_ZIP: tuple[Format, ...] = ("json", "markdown")


async def gather(storage: Storage, runs: Runs, owner: str, id: str, gallery: Gallery | None = None) -> Exported:
    """A conversation as it is now, an answer that is being written with what there is of it; with a `gallery` the
    pictures of the branch that is shown too. Raises NotFound."""
    conversation, messages = await storage.conversations.get_tree(owner, id)
    whole = [
        (await runs.fold(await storage.runs.get_run(owner, message.run)))[0]
        if message.status == "running" and message.run is not None
        else message
        for message in messages
    ]
    exported = Exported(conversation, tuple(whole), int(time.time() * 1000))
    if gallery is None:
        return exported
    ids = [part.id for message in exported.branch for part in message.parts if part.kind == "picture" and part.id]
    found = [picture for each in ids if (picture := await _embedded(gallery, owner, each)) is not None]
    return replace(exported, pictures=dict(found))


async def _embedded(gallery: Gallery, owner: str, id: str) -> tuple[str, str] | None:
    """A picture as a `data:` URL by its id; None for one that was deleted."""
    try:
        picture = await gallery.picture(owner, id)
        data = await gallery.bytes(picture)
    except NotFound:
        return None
    return id, f"data:{picture.media};base64,{base64.b64encode(data).decode()}"


async def one(exported: Exported, format: Format) -> tuple[str, bytes]:
    """A conversation's file: its name and what is in it."""
    renderer = RENDERERS[format]
    return f"{exported.name}.{renderer.suffix}", await asyncio.to_thread(renderer.render, exported)


def zip_name() -> str:
    return f"eclair-{datetime.now(UTC):%Y-%m-%d}.zip"


async def everything(
    storage: Storage,
    runs: Runs,
    gallery: Gallery,
    owner: str,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> AsyncGenerator[bytes, None]:
    """A zip of all conversations and pictures, in pieces as they come. One that is deleted meanwhile is not in it."""
    ids = await storage.conversations.list_conversation_ids(owner)
    out = _Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, id in enumerate(ids, 1):
            try:
                exported = await gather(storage, runs, owner, id)
            except NotFound:
                continue
            await asyncio.to_thread(_add, archive, exported)
            if piece := out.taken():
                yield piece
            progress(done, len(ids))
        before: str | None = None
        while True:
            listed = await gallery.pictures(owner, AT_ONCE, before=before)
            for picture in listed.pictures:
                with contextlib.suppress(NotFound):
                    _add_picture(archive, picture, await gallery.bytes(picture))
                if piece := out.taken():
                    yield piece
            if (before := listed.next) is None:
                break
    yield out.taken()


def _add(archive: zipfile.ZipFile, exported: Exported) -> None:
    for format in IN_ZIP:
        renderer = RENDERERS[format]
        name = f"{format}/{exported.name}-{exported.conversation.id[-8:]}.{renderer.suffix}"
        info = zipfile.ZipInfo(name, _local(exported.conversation.updated))
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, renderer.render(exported))


def _add_picture(archive: zipfile.ZipFile, picture: Picture, data: bytes) -> None:
    """Packed as it is, which saves nothing of pictures to pack again."""
    info = zipfile.ZipInfo(f"pictures/{picture.id}.{picture.media.rpartition('/')[2]}", _local(picture.created))
    archive.writestr(info, data)


def _local(milliseconds: int) -> tuple[int, int, int, int, int, int]:
    """A time as a zip has it, which begins in 1980."""
    moment = datetime.fromtimestamp(max(milliseconds / 1000, 315_532_800), UTC)
    return (min(moment.year, 2107), moment.month, moment.day, moment.hour, moment.minute, moment.second)


class _Pipe(io.RawIOBase):
    """A file that is only written to, and given away as it grows."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # pyright: ignore[reportArgumentType]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
