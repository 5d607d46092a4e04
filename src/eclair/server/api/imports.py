"""`/api/imports`: an export of another program is read, shown, and then kept."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, BinaryIO

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.errors import EclairError, InvalidInput, StoreError
from eclair.server.principal import Caller
from eclair.server.sse import EventStream
from eclair.transfer.import_service import ImportProgress
from eclair.transfer.normalize import Kind

PIECE = 1 << 20
"""Bytes that are gathered before they are written."""
OFTEN = 0.1
"""Seconds between two words on how far an import is."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class WaitingImport(BaseModel):
    """What the file holds; nothing of it is kept yet."""

    id: str
    kind: Kind
    conversations: int
    messages: int
    titles: list[str]
    problems: list[str]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/imports", tags=["imports"])

    @api.post("", status_code=201, openapi_extra=_BODY)
    async def read_export(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=200)] = "The file"
    ) -> WaitingImport:
        folder = await asyncio.to_thread(app.imports.open_folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                await _receive(request, file)
            except OSError as error:
                raise StoreError(f"{name} cannot be kept in {folder} while it is read: {error.strerror}.") from error
            id, preview = await app.imports.stage(file, name)
        return WaitingImport(
            id=id,
            kind=preview.kind,
            conversations=preview.conversations,
            messages=preview.messages,
            titles=list(preview.titles),
            problems=list(preview.problems),
        )

    @api.post("/{id}", response_class=EventStream)
    async def carry_out_import(principal: Caller, id: str) -> EventStream:
        app.imports.check(id)
        return EventStream(_told(app.imports.run(id, principal)))

    @api.delete("/{id}", status_code=204)
    async def drop_import(id: str) -> None:
        app.imports.drop(id)

    return api


async def _receive(request: Request, file: BinaryIO) -> None:
    """Write the body to the file as it comes."""
    gathered = bytearray()
    try:
        async for piece in request.stream():
            gathered += piece
            if len(gathered) >= PIECE:
                await asyncio.to_thread(file.write, bytes(gathered))
                gathered.clear()
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None
    await asyncio.to_thread(file.write, bytes(gathered))


async def _told(steps: AsyncGenerator[ImportProgress, None]) -> AsyncGenerator[bytes, None]:
    """How far the import is, now and then, and how it ended."""
    told = 0.0
    async with aclosing(steps):
        try:
            async for step in steps:
                if step.finished:
                    yield _frame(_finished(step))
                elif time.monotonic() - told >= OFTEN:
                    told = time.monotonic()
                    yield _frame({"done": step.done, "of": step.of})
        except EclairError as error:
            yield _frame({"error": {"code": error.code, "message": error.message, "param": error.param}})


def _finished(step: ImportProgress) -> dict[str, Any]:
    return {
        "finished": {
            "conversations": step.added,
            "messages": step.messages,
            "skipped": step.skipped,
            "problems": step.problems,
        }
    }


def _frame(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
