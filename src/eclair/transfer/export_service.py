"""Exports of one conversation as a file."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import replace

from eclair.chat.runs import Runs
from eclair.errors import NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.provenance.service import Provenance
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.transfer.export_view import ExportedConversation, answering_models
from eclair.transfer.exporters import EXPORTERS, ExportFormat
from eclair.transfer.typesetter import typeset


async def load_conversation(
    storage: Storage, runs: Runs, principal: Principal, id: str, gallery: Gallery | None = None
) -> ExportedConversation:
    """Load a conversation with all its messages, including an answer still in progress.

    With a `gallery`, images of the displayed branch are included. Raises NotFound.
    """
    conversation, messages = await storage.conversations.get_tree(principal, id)
    folded = [
        (await runs.fold(await storage.runs.get_run(principal, message.run)))[0]
        if message.is_open and message.run is not None
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


async def render_conversation(
    exported: ExportedConversation, format: ExportFormat, provenance: Provenance
) -> tuple[str, bytes]:
    """Render a conversation; returns the file's name and its bytes. A PDF with answers is signed by `provenance`.

    Raises TooLarge, InvalidInput, and SettingsError without a usable certificate.
    """
    renderer = EXPORTERS[format]
    data = await asyncio.to_thread(renderer.render, exported)
    if renderer.is_typeset:
        data = await typeset(data)
        if models := answering_models(exported.branch):
            data = await provenance.sign_document(data, renderer.media_type, models)
    return f"{exported.name}.{renderer.suffix}", data
