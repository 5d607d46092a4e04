"""Replies of the open web: bounded in time and size while they come, unpacked as they are read. Calling them is
`browser`'s affair."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp

from eclair.network.response import BrokenReply, Reply, ReplyTooLarge, TimedOut
from eclair.util.humanize import size


class WebReply(Reply):
    """A reply of which `limit` bytes at most are given, unpacked, until the loop's clock shows `deadline`.

    What it raises is a whole sentence, `late` that of TimedOut.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, url: str, host: str, deadline: float, late: str, limit: int
    ) -> None:
        super().__init__(response.status, response.headers, url)
        self._response = response
        self._host = host
        self._deadline = deadline
        self._late = late
        self._limit = limit
        self._given = 0
        self._packed = _Packed.by(self.headers.get("Content-Encoding", ""))

    async def read(self) -> bytes:
        """Raises TooMuch besides; one that says at once how long it is, before anything is read."""
        length = self.headers.get("Content-Length", "")
        if self.received == 0 and length.isdigit() and int(length[:19]) > self._limit:
            raise self._too_much()
        while chunk := await self._raw():
            plain = self._plain(chunk)
            self._given += len(plain)
            if self._given > self._limit or self.received > self._limit:
                raise self._too_much()
            if plain:
                return plain
        if self._packed is not None and not self._packed.whole:
            raise BrokenReply(f"What {self._host} sends stops half way; try again.")
        return b""

    def close(self) -> None:
        """Close the connection, unless the whole reply has come: then it serves the next call."""
        self._response.close()

    async def _raw(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                chunk = await self._response.content.readany()
        except TimeoutError:
            raise TimedOut(self._late) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenReply(f"What {self._host} sends stops half way or is no HTTP; try again.") from error
        self.received += len(chunk)
        return chunk

    def _plain(self, chunk: bytes) -> bytes:
        if self._packed is None:
            return chunk
        try:
            return self._packed.feed(chunk, self._limit - self._given + 1)
        except zlib.error:
            raise BrokenReply(f"What {self._host} sends cannot be unpacked.") from None

    def _too_much(self) -> ReplyTooLarge:
        return ReplyTooLarge(f"What {self._host} sends is more than the {size(self._limit)} that are read.")


class _Packed:
    """Unpacks gzip and deflate, however much a few bytes may unpack to."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._begun = False
        self._stream = zlib.decompressobj(bits)

    @classmethod
    def by(cls, encoding: str) -> _Packed | None:
        """What unpacks an encoding; None where nothing is packed. Any other was not asked for and does not unpack."""
        return None if encoding.strip().lower() in ("", "identity") else cls(zlib.MAX_WBITS | 32)

    @property
    def whole(self) -> bool:
        """Whether what was packed has ended."""
        return self._stream.eof or not self._begun

    def feed(self, chunk: bytes, most: int) -> bytes:
        """What `chunk` adds, cut at `most` bytes, which is more than may come. Raises zlib.error."""
        try:
            return self._fed(chunk, most)
        except zlib.error:
            if self._begun:
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # deflate as some servers mean it, without its head
            return self._fed(chunk, most)

    def _fed(self, chunk: bytes, most: int) -> bytes:
        parts: list[bytes] = []
        while chunk and most > 0:
            if self._stream.eof:
                if not chunk.startswith(b"\x1f\x8b"):
                    break  # what follows the end is nobody's
                self._stream = zlib.decompressobj(self._bits)
            part = self._stream.decompress(chunk, most)
            self._begun = True
            parts.append(part)
            most -= len(part)
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return b"".join(parts)
