"""`/api/marks/check`: checks a file's provenance marks; may be open to strangers."""

from __future__ import annotations

import asyncio
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
from eclair.chat.receipt_signing import MAX_RECEIPT_BYTES, ReceiptCheck, check_receipt, is_receipt
from eclair.errors import InvalidInput, StoreError, TooLarge
from eclair.provenance.provenance_report import (
    ContentCredentials,
    IptcMetadata,
    OriginKind,
    ProvenanceReport,
    TextWatermarkFinding,
    WatermarkFinding,
)
from eclair.server.openai.files import safe_file_name
from eclair.storage.signing_key import SigningKey
from eclair.util.scratch import ScratchFolder

READ_CHUNK_BYTES = 1 << 20

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


class ProvenanceBody(BaseModel):
    """A file's provenance marks, in sum and one by one. Finding none proves nothing.

    `receipt` is the check of a file that is the receipt of an answer, against the key of this installation.
    """

    name: str
    media: str | None
    made: OriginKind | None
    altered: bool
    credentials: ContentCredentials
    metadata: IptcMetadata
    watermark: WatermarkFinding
    text_watermark: TextWatermarkFinding
    receipt: ReceiptCheck | None = None

    @classmethod
    def from_report(cls, name: str, report: ProvenanceReport) -> ProvenanceBody:
        return cls(name=name, made=report.made, altered=report.altered, **_parts(report))


def _parts(report: ProvenanceReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in asdict(report)}


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/marks", tags=["Marks"])
    max_mb = app.settings.max_check_mb

    @api.post("/check", openapi_extra=_BODY)
    async def check(request: Request, name: Annotated[str, Query(max_length=255)] = "") -> ProvenanceBody:
        with app.provenance.reserve_check():
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                return await check_form(request, name)
            return await check_stream(request.stream(), safe_file_name(name))

    async def check_form(request: Request, name: str) -> ProvenanceBody:
        try:
            async with request.form(max_files=1, max_fields=0) as form:
                upload = form.get("file")
                if not isinstance(upload, UploadFile):
                    raise InvalidInput("The field 'file' is missing; send a file.", param="file")
                return await check_stream(_read_chunks(upload), safe_file_name(name or upload.filename or ""))
        except HTTPException as error:
            raise InvalidInput(f"The body is not a form with a file: {error.detail}") from error

    async def check_stream(chunks: AsyncIterable[bytes], name: str) -> ProvenanceBody:
        async with _temporary_file(chunks, name, max_mb) as path:
            found = ProvenanceBody.from_report(name, await app.provenance.check(path, name))
            found.receipt = await asyncio.to_thread(_check_receipt, path, SigningKey.configured(app.settings))
            return found

    return api


def _check_receipt(path: Path, key: SigningKey) -> ReceiptCheck | None:
    """Check a file that is a receipt; None for any other. Raises SettingsError without a usable key."""
    if path.stat().st_size > MAX_RECEIPT_BYTES:
        return None
    data = path.read_bytes()
    return check_receipt(data, key.public()) if is_receipt(data) else None


async def _read_chunks(upload: UploadFile) -> AsyncGenerator[bytes]:
    while data := await upload.read(READ_CHUNK_BYTES):
        yield data


@asynccontextmanager
async def _temporary_file(chunks: AsyncIterable[bytes], name: str, max_mb: int) -> AsyncGenerator[Path]:
    """Write an upload to a temporary file. Raises TooLarge, InvalidInput and StoreError."""
    try:
        with ScratchFolder("marks") as folder:
            path = folder.path / "file"
            size = 0
            with path.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > max_mb * 1_000_000:
                        raise TooLarge(f"{name} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_CHECK_MB).")
                    await asyncio.to_thread(file.write, chunk)
            if size == 0:
                raise InvalidInput(f"{name} is empty; choose another file.")
            yield path
    except ClientDisconnect:
        raise InvalidInput(f"{name} did not arrive whole; send it again.") from None
    except OSError as error:
        raise StoreError(f"The upload cannot be stored: {error.strerror}.") from error
