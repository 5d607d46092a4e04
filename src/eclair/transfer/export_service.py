"""Exports of one conversation as a file."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from dataclasses import replace

from eclair.chat.runs import Runs
from eclair.errors import InvalidInput, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.provenance.service import Provenance
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.transfer.export_view import ExportedConversation, answering_models
from eclair.transfer.exporters import EXPORTERS, ExportFormat
from eclair.transfer.python_charts import SVG, chart_file, show_charts
from eclair.transfer.typesetter import draw_svg, typeset


async def load_conversation(
    storage: Storage, runs: Runs, principal: Principal, id: str, gallery: Gallery | None = None
) -> ExportedConversation:
    """Load a conversation with all its messages, including an answer still in progress.

    With a `gallery`, images and charts of the displayed branch are included. Raises NotFound.
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
    exported = replace(exported, messages=tuple(show_charts(message) for message in folded))
    ids = {part.id for message in exported.branch for part in message.parts if part.kind == "picture" and part.id}
    pictures: dict[str, str] = {}
    for each in sorted(ids):
        chart = chart_file(each)
        with contextlib.suppress(NotFound, StoreError, InvalidInput):  # deleted or damaged: it is described only
            if chart is None:
                picture = await gallery.get_image(principal, each)
                pictures[each] = _data_url(picture.media, await gallery.read_bytes(picture))
            else:
                pictures[each] = _data_url(*await _chart(storage, principal, id, *chart))
    return replace(exported, pictures=pictures)


async def _chart(
    storage: Storage, principal: Principal, conversation: str, name: str, version: int
) -> tuple[str, bytes]:
    """Return the type and bytes of a chart; drawings become images, which word processors show as well.

    Raises NotFound, StoreError, and InvalidInput for a drawing that can't be read.
    """
    file, data = await storage.workspaces.read_workspace_file(principal, conversation, name, version)
    return ("image/png", await draw_svg(data)) if file.media == SVG else (file.media, data)


def _data_url(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


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
            data = await provenance.sign_file(data, renderer.media_type, models)
    return f"{exported.name}.{renderer.suffix}", data
