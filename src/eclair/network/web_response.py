"""Replies of the open web: bounded in time and size while they come, unpacked as they are read. Calling them is
`browser`'s affair."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping

import httpcore2

from eclair.network.http2 import FAULTS
from eclair.network.response import BrokenOff, Reply, TimedOut, TooMuch
from eclair.util.humanize import size


class Headers(Mapping[str, str]):
    """Headers by their names, in whatever case. Of several with one name the first counts."""

    def __init__(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in rows:
            self._values.setdefault(_text(name).lower(), _text(value))

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values


class Page(Reply):
    """A reply of which `limit` bytes at most are given, unpacked, until the loop's clock shows `deadline`.

    What it raises is a whole sentence, `late` that of TimedOut.
    """

    def __init__(
        self, response: httpcore2.Response, url: str, host: str, deadline: float, late: str, limit: int
    ) -> None:
        super().__init__(response.status, Headers(response.headers), url)
        self._response = response
        self._chunks = response.aiter_stream()
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
            raise BrokenOff(f"What {self._host} sends stops half way; try again.")
        return b""

    async def settle(self) -> None:
        """Take what has come by now, so that a reply that is at its end leaves its connection to the next."""
        with contextlib.suppress(TimeoutError, *FAULTS):
            async with asyncio.timeout(0):
                while await self._next():
                    pass

    async def close(self) -> None:
        """Let the connection go. Where the reply has not been read to its end, the server is told to stop."""
        await self._chunks.aclose()
        await self._response.aclose()

    async def _raw(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._next()
        except TimeoutError:
            raise TimedOut(self._late) from None
        except FAULTS as error:
            raise BrokenOff(f"What {self._host} sends stops half way or is no HTTP; try again.") from error

    async def _next(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                self.received += len(chunk)
                return chunk
        return b""

    def _plain(self, chunk: bytes) -> bytes:
        if self._packed is None:
            return chunk
        try:
            return self._packed.feed(chunk, self._limit - self._given + 1)
        except zlib.error:
            raise BrokenOff(f"What {self._host} sends cannot be unpacked.") from None

    def _too_much(self) -> TooMuch:
        return TooMuch(f"What {self._host} sends is more than the {size(self._limit)} that are read.")


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


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
