"""Looks at pictures whose bytes are foreign, in a process of their own (`process`), of which nothing is believed but
the form of its answers."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import UnreadableFile
from eclair.images.inspect_protocol import DONE, FAULT, SECONDS, Answer, Order
from eclair.sandbox.pool import Guests

AT_ONCE = 2

_MODULE = "eclair.images.inspect_worker"
_ANSWER = TypeAdapter(Answer)


class Looking:
    """Faults call a picture by the `name` that is given. All raise UnreadableFile, but for `close`."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._guests = Guests(_MODULE, stay=True)

    async def close(self) -> None:
        await self._guests.close()

    async def thumbnail(self, image: bytes, packet: bytes, name: str) -> tuple[Answer, bytes]:
        """What the picture is, and a small one in WebP that bears the note `packet`."""
        return await self._ask(Order("thumbnail", packet=packet.decode()), image, name)

    async def mask(self, image: bytes, size: tuple[int, int], name: str) -> bytes:
        """PNG of that size, transparent where the picture is that was given as a mask."""
        return (await self._ask(Order("mask", width=size[0], height=size[1]), image, name))[1]

    async def _ask(self, order: Order, image: bytes, name: str) -> tuple[Answer, bytes]:
        async with self._places:
            try:
                said = await self._guests.ask(orjson.dumps(asdict(order)) + b"\n" + image, SECONDS)
            except TimeoutError:
                raise UnreadableFile(f"{name} takes too long to read; make it smaller.") from None
        if said[:1] == FAULT:
            raise UnreadableFile(f"{name} {said[1:].decode(errors='replace')}.")
        head, _, made = said[1:].partition(b"\n")
        try:
            if said[:1] == DONE and made:
                return _ANSWER.validate_json(head), made
        except ValidationError:
            pass
        raise UnreadableFile(f"{name} is damaged, or takes too much to read; make it smaller.")
