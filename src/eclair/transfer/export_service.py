"""Exports: one conversation as a file, or all as a streamed zip."""

from __future__ import annotations

import asyncio
import base64
import io
import time
import zipfile
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime

from eclair.chat.runs import Runs
from eclair.errors import DataDamaged, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import EXPORTERS, ExportFormat

IMAGES_PER_PAGE = 100

IN_ZIP: tuple[ExportFormat, ...] = ("json", "markdown")


async def load_conversation(
    storage: Storage, runs: Runs, principal: Principal, id: str, gallery: Gallery | None = None
) -> ExportedConversation:
    """Load a conversation with all its messages, including an answer still in progress.

    With a `gallery`, images of the displayed branch are included. Raises NotFound.
    """
    conversation, messages = await storage.conversations.get_tree(principal, id)
    folded = [
        (await runs.fold(await storage.runs.get_run(principal, message.run)))[0]
        if message.status == "running" and message.run is not None
        else message
        for message in messages
    ]
    exported = ExportedConversation(conversation, tuple(folded), int(time.time() * 1000))
    if gallery is None:
        return exported
    ids = [part.id for message in exported.branch for part in message.parts if part.kind == "picture" and part.id]
    found = [picture for each in ids if (picture := await _embedded(gallery, principal, each)) is not None]
    return replace(exported, pictures=dict(found))


async def _embedded(gallery: Gallery, principal: Principal, id: str) -> tuple[str, str] | None:
    """Return an image as a `data:` URL by its id; None if it was deleted or is damaged."""
    try:
        picture = await gallery.get_image(principal, id)
        data = await gallery.read_bytes(picture)
    except (NotFound, StoreError):
        return None
    return id, f"data:{picture.media};base64,{base64.b64encode(data).decode()}"


async def render_conversation(exported: ExportedConversation, format: ExportFormat) -> tuple[str, bytes]:
    """Render a conversation; returns the file's name and its bytes."""
    renderer = EXPORTERS[format]
    return f"{exported.name}.{renderer.suffix}", await asyncio.to_thread(renderer.render, exported)


def zip_name() -> str:
    return f"eclair-{datetime.now(UTC):%Y-%m-%d}.zip"


async def export_all(
    storage: Storage,
    runs: Runs,
    gallery: Gallery,
    principal: Principal,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> AsyncGenerator[bytes, None]:
    """Stream a zip of all conversations and images. Those deleted meanwhile are left out.

    So are damaged ones, which `damaged.txt` in the zip lists.
    """
    ids = await storage.conversations.list_conversation_ids(principal)
    out = _Pipe()
    damaged: list[str] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, id in enumerate(ids, 1):
            try:
                exported = await load_conversation(storage, runs, principal, id)
            except NotFound:
                continue
            except DataDamaged as error:
                damaged.append(f"{id}: {error.message}")
                continue
            await asyncio.to_thread(_add, archive, exported)
            if chunk := out.drain():
                yield chunk
            progress(done, len(ids))
        before: str | None = None
        while True:
            listed = await gallery.list_images(principal, IMAGES_PER_PAGE, before=before)
            for picture in listed.pictures:
                try:
                    _add_picture(archive, picture, await gallery.read_bytes(picture))
                except NotFound:
                    pass
                except StoreError as error:
                    damaged.append(f"{picture.id}: {error.message}")
                if chunk := out.drain():
                    yield chunk
            if (before := listed.next) is None:
                break
        if damaged:
            archive.writestr("damaged.txt", "\n".join([*damaged, ""]))
    yield out.drain()


def _add(archive: zipfile.ZipFile, exported: ExportedConversation) -> None:
    for format in IN_ZIP:
        renderer = EXPORTERS[format]
        name = f"{format}/{exported.name}-{exported.conversation.id[-8:]}.{renderer.suffix}"
        info = zipfile.ZipInfo(name, _zip_time(exported.conversation.updated))
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, renderer.render(exported))


def _add_picture(archive: zipfile.ZipFile, picture: GeneratedImage, data: bytes) -> None:
    """Store an image uncompressed: compressing it again saves nothing."""
    info = zipfile.ZipInfo(f"pictures/{picture.id}.{picture.media.rpartition('/')[2]}", _zip_time(picture.created))
    archive.writestr(info, data)


def _zip_time(milliseconds: int) -> tuple[int, int, int, int, int, int]:
    """Convert a time to a zip timestamp; zip time starts in 1980."""
    moment = datetime.fromtimestamp(max(milliseconds / 1000, 315_532_800), UTC)
    return (min(moment.year, 2107), moment.month, moment.day, moment.hour, moment.minute, moment.second)


class _Pipe(io.RawIOBase):
    """Write-only file whose content is drained as it grows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # pyright: ignore[reportArgumentType]
        self._chunks.append(chunk)
        return len(chunk)

    def drain(self) -> bytes:
        drained = b"".join(self._chunks)
        self._chunks.clear()
        return drained
