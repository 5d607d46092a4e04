"""Replies of the open web: bounded, decompressed while they are read."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

import aiohttp

from eclair.network.response import BrokenReply, Reply, ReplyTooLarge, TimedOut
from eclair.util.humanize import format_size


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """Limits on a reply: `max_bytes` once decompressed, until the event loop's clock shows `deadline`."""

    timeout_s: float
    deadline: float
    max_bytes: int

    @classmethod
    def starting_now(cls, timeout_s: float, max_bytes: int) -> ReplyLimits:
        return cls(timeout_s, asyncio.get_running_loop().time() + timeout_s, max_bytes)

    def timed_out(self, host: str) -> TimedOut:
        return TimedOut(f"{host} took longer than {self.timeout_s:g} seconds.")


class WebReply(Reply):
    """A reply within limits. Every exception's message is a whole sentence."""

    def __init__(self, response: aiohttp.ClientResponse, url: str, host: str, limits: ReplyLimits) -> None:
        super().__init__(response.status, response.headers, url)
        self._response = response
        self._host = host
        self._limits = limits
        self._decompressed = 0
        self._decompressor = _Decompressor.for_encoding(self.headers.get("Content-Encoding", ""))

    async def read(self) -> bytes:
        """Raises ReplyTooLarge as well, before anything is read where the header says so."""
        length = self.headers.get("Content-Length", "")
        if self.received == 0 and length.isdigit() and int(length[:19]) > self._limits.max_bytes:
            raise self._too_large()
        while chunk := await self._read_raw():
            plain = self._decompress(chunk)
            self._decompressed += len(plain)
            if max(self._decompressed, self.received) > self._limits.max_bytes:
                raise self._too_large()
            if plain:
                return plain
        if self._decompressor is not None and not self._decompressor.is_complete:
            raise BrokenReply(f"The reply of {self._host} ended early; try again.")
        return b""

    def close(self) -> None:
        """Close the connection, or leave it to the next call if the whole reply has arrived."""
        self._response.close()

    async def _read_raw(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._limits.deadline):
                chunk = await self._response.content.readany()
        except TimeoutError:
            raise self._limits.timed_out(self._host) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenReply(f"The reply of {self._host} ended early or isn't valid HTTP; try again.") from error
        self.received += len(chunk)
        return chunk

    def _decompress(self, chunk: bytes) -> bytes:
        if self._decompressor is None:
            return chunk
        try:
            return self._decompressor.feed(chunk, self._limits.max_bytes - self._decompressed + 1)
        except zlib.error:
            raise BrokenReply(f"The reply of {self._host} cannot be decompressed.") from None

    def _too_large(self) -> ReplyTooLarge:
        return ReplyTooLarge(
            f"The reply of {self._host} is larger than the limit of {format_size(self._limits.max_bytes)}."
        )


class _Decompressor:
    """Streams gzip and deflate, never producing more than is asked for."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._has_begun = False
        self._stream = zlib.decompressobj(window_bits)

    @classmethod
    def for_encoding(cls, encoding: str) -> _Decompressor | None:
        """Return a decompressor; None for an uncompressed reply. Encodings that weren't asked for fail when fed."""
        return None if encoding.strip().lower() in ("", "identity") else cls(zlib.MAX_WBITS | 32)

    @property
    def is_complete(self) -> bool:
        """True if the compressed data has reached its end."""
        return self._stream.eof or not self._has_begun

    def feed(self, chunk: bytes, max_bytes: int) -> bytes:
        """Decompress `chunk`, cut at `max_bytes`. Raises zlib.error."""
        try:
            return self._feed(chunk, max_bytes)
        except zlib.error:
            if self._has_begun:
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send deflate without its header
            return self._feed(chunk, max_bytes)

    def _feed(self, chunk: bytes, max_bytes: int) -> bytes:
        parts: list[bytes] = []
        while chunk and max_bytes > 0:
            if self._stream.eof:
                if not chunk.startswith(b"\x1f\x8b"):
                    break  # garbage after the end
                self._stream = zlib.decompressobj(self._window_bits)
            part = self._stream.decompress(chunk, max_bytes)
            self._has_begun = True
            parts.append(part)
            max_bytes -= len(part)
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return b"".join(parts)
