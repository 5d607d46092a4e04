"""`/api/imports`: read another program's export, preview it, then import it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.errors import EclairError, InvalidInput
from eclair.server.principal import Caller
from eclair.server.sse import EventStream, StreamError, StreamFault, encode_frame
from eclair.transfer.archive_importer import ImportChoices, ImportItems, ItemKind
from eclair.transfer.import_service import ImportProgress
from eclair.transfer.normalize import ImportKind

PROGRESS_INTERVAL_S = 0.1

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ImportItemsBody(BaseModel):
    """Things of one kind in an export; `here` of them are here already."""

    kind: ItemKind
    count: int
    here: int

    @classmethod
    def from_items(cls, items: ImportItems) -> ImportItemsBody:
        return cls(kind=items.kind, count=items.count, here=items.here)


class ImportPreviewBody(BaseModel):
    """The content of an export; nothing is stored yet."""

    id: str
    kind: ImportKind
    conversations: int
    messages: int
    titles: list[str]
    problems: list[str]
    items: list[ImportItemsBody]


class ImportProgressFrame(BaseModel):
    """Conversations, and other things of an archive, `done` of a total."""

    done: int
    of: int


class ImportResult(BaseModel):
    """Conversations and messages that are new; `skipped` conversations were here before.

    `items` are the other things of an archive, of which those that are not `here` are new.
    """

    conversations: int
    messages: int
    skipped: int
    problems: list[str]
    items: list[ImportItemsBody]


class ImportFinishedFrame(BaseModel):
    finished: ImportResult


ImportFrame = ImportProgressFrame | ImportFinishedFrame | StreamError
"""A frame of an import; the last one has the result or an error."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/imports", tags=["imports"])

    @api.post("", status_code=201, openapi_extra=_BODY)
    async def read_export(
        principal: Caller, request: Request, name: Annotated[str, Query(min_length=1, max_length=200)] = "The file"
    ) -> ImportPreviewBody:
        uploaded = await app.imports.upload(principal, _receive(request), name)
        preview = uploaded.preview
        return ImportPreviewBody(
            id=uploaded.id,
            kind=preview.kind,
            conversations=preview.conversations,
            messages=preview.messages,
            titles=list(preview.titles),
            problems=list(preview.problems),
            items=[ImportItemsBody.from_items(each) for each in uploaded.items],
        )

    @api.post("/{id}", response_class=EventStream, responses={200: {"model": ImportFrame}})
    async def carry_out_import(
        principal: Caller, id: str, replace_settings: bool = False, switch_skills_on: bool = False
    ) -> EventStream:
        await app.imports.check(principal, id)
        await app.storage.audit.add_act(principal, "conversations.imported", id)
        choices = ImportChoices(replace_settings=replace_settings, switch_skills_on=switch_skills_on)
        return EventStream(_progress_events(app.imports.run(principal, id, choices)))

    @api.delete("/{id}", status_code=204)
    async def drop_import(principal: Caller, id: str) -> None:
        await app.imports.drop(principal, id)

    return api


async def _receive(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None


async def _progress_events(steps: AsyncGenerator[ImportProgress, None]) -> AsyncGenerator[bytes, None]:
    """Stream progress a few times a second, then the result."""
    last_sent = 0.0
    async with aclosing(steps):
        try:
            async for step in steps:
                if step.is_finished:
                    yield encode_frame(_finished(step))
                elif time.monotonic() - last_sent >= PROGRESS_INTERVAL_S:
                    last_sent = time.monotonic()
                    yield encode_frame(ImportProgressFrame(done=step.done, of=step.total))
        except EclairError as error:
            yield encode_frame(StreamError(error=StreamFault.from_error(error)))


def _finished(step: ImportProgress) -> ImportFinishedFrame:
    result = ImportResult(
        conversations=step.added,
        messages=step.messages,
        skipped=step.skipped,
        problems=list(step.problems),
        items=[ImportItemsBody.from_items(each) for each in step.items],
    )
    return ImportFinishedFrame(finished=result)
