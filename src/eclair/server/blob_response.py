"""Sends the bytes of a blob, or a range of them, as they come from where they are stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import IO, Protocol

from starlette.datastructures import Headers
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MAX_READ_AHEAD_BYTES = 1 << 20
FILE_CHUNK_BYTES = 1 << 18

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class RangedBytes(Protocol):
    """Bytes that are sent in part or as a whole: a blob, or a temporary file. The name changes with them."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def stream(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `end`."""
        ...


class TemporaryBytes:
    """The bytes of a temporary file."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self.file = file
        self.size = file.seek(0, 2)

    async def stream(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `end`."""
        self.file.seek(start)
        while start < end:
            data = await asyncio.to_thread(self.file.read, min(end - start, FILE_CHUNK_BYTES))
            start += len(data)
            yield data


class BlobResponse(StreamingResponse):
    """Sends a blob whose size is known. Where bytes turn out to be damaged, the connection breaks off."""

    def __init__(
        self,
        found: RangedBytes,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(_each(()), status_code, headers, media_type)
        self._found = found
        self.headers["accept-ranges"] = "bytes"
        self.headers["etag"] = f'"{found.name}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = self._found.size
        start, end = 0, size
        headers = Headers(scope=scope)
        if headers.get("if-range", self.headers["etag"]) == self.headers["etag"]:
            asked = _parse_range(headers.get("range", ""), size)
            if asked is not None:
                start, end = asked
                is_there = start < end
                self.status_code = 206 if is_there else 416
                self.headers["content-range"] = f"bytes {start}-{end - 1}/{size}" if is_there else f"bytes */{size}"
        self.headers["content-length"] = str(max(0, end - start))
        async with aclosing(self._found.stream(start, end)) as pieces:
            if end - start <= MAX_READ_AHEAD_BYTES:  # damage is known before anything is sent
                self.body_iterator = _each([piece async for piece in pieces])
            else:
                self.body_iterator = pieces
            await super().__call__(scope, receive, send)


class TemporaryFileResponse(BlobResponse):
    """Sends a temporary file, which is closed afterwards."""

    def __init__(
        self, file: TemporaryBytes, headers: Mapping[str, str] | None = None, media_type: str | None = None
    ) -> None:
        super().__init__(file, headers=headers, media_type=media_type)
        self._file = file.file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def _parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return the bytes that one range asks for, none of them for one past the end; None for anything else."""
    match = _RANGE.match(text)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else (size, size)
    start, end = int(first), min(size, int(last) + 1) if last else size
    if last and int(last) < start:
        return None
    return (start, end) if start < size else (size, size)


async def _each(pieces: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
