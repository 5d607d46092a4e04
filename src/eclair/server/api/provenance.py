"""`/api/marks/check`: whether a file says that a model made it. Nobody needs a key for it, and nothing is kept."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.errors import InvalidInput, StoreError, TooLarge
from eclair.provenance.report import ContentCredentials, IptcMetadata, OriginKind, ProvenanceReport, WatermarkFinding
from eclair.server.openai.files import shown

PIECE = 1 << 20

_FILE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": _FILE},
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}},
            },
        },
    }
}


class ReportBody(BaseModel):
    """What the marks of a file say, together and each by itself. That none is found proves nothing."""

    name: str
    media: str | None
    made: OriginKind | None
    altered: bool
    credentials: ContentCredentials
    metadata: IptcMetadata
    watermark: WatermarkFinding

    @classmethod
    def of(cls, name: str, report: ProvenanceReport) -> ReportBody:
        return cls(name=name, made=report.made, altered=report.altered, **_parts(report))


def _parts(report: ProvenanceReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in asdict(report)}


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/marks", tags=["Marks"])
    most_mb = app.settings.max_check_mb

    @api.post("/check", openapi_extra=_BODY)
    async def check(request: Request, name: Annotated[str, Query(max_length=255)] = "") -> ReportBody:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await check_form(request, name)
        return await look(request.stream(), shown(name))

    async def check_form(request: Request, name: str) -> ReportBody:
        try:
            async with request.form(max_files=1, max_fields=0) as form:
                upload = form.get("file")
                if not isinstance(upload, UploadFile):
                    raise InvalidInput("The field 'file' is missing; send a file.", param="file")
                return await look(_pieces(upload), shown(name or upload.filename or ""))
        except HTTPException as error:
            raise InvalidInput(f"The body is no form with a file: {error.detail}") from error

    async def look(pieces: AsyncIterable[bytes], name: str) -> ReportBody:
        async with _kept_meanwhile(pieces, name, most_mb) as path:
            return ReportBody.of(name, await app.marks.check(path, name))

    return api


async def _pieces(upload: UploadFile) -> AsyncGenerator[bytes]:
    while data := await upload.read(PIECE):
        yield data


@asynccontextmanager
async def _kept_meanwhile(pieces: AsyncIterable[bytes], name: str, most_mb: int) -> AsyncGenerator[Path]:
    """The file, on the disk for as long as it is looked at. Raises TooLarge, InvalidInput and StoreError."""
    try:
        with tempfile.TemporaryDirectory(prefix="eclair-marks-") as folder:
            path = Path(folder) / "file"
            size = 0
            with path.open("wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > most_mb * 1_000_000:
                        raise TooLarge(f"{name} is larger than {most_mb:,} MB, the limit (ECLAIR_MAX_CHECK_MB).")
                    await asyncio.to_thread(file.write, piece)
            if size == 0:
                raise InvalidInput(f"{name} is empty; choose another file.")
            yield path
    except ClientDisconnect:
        raise InvalidInput(f"{name} did not arrive whole; send it again.") from None
    except OSError as error:
        raise StoreError(f"The file cannot be kept while it is looked at: {error.strerror}.") from error
