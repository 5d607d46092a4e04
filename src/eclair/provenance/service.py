"""Marks: what a model made or edited says so, to people and machines; and what a file says of how it was made.

A picture gets three marks that fail in different ways: signed credentials, in which a change shows; a note beside the
picture, which every program reads; and a watermark, which stays when the picture is saved anew. Foreign bytes are read
in a process of their own (`process`); the key never goes there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import SettingsError, TooBusy, UnreadableFile
from eclair.provenance import c2pa, xmp
from eclair.provenance.certificates import Certificates
from eclair.provenance.report import QUALITY, Form, Made, Report
from eclair.provenance.worker_protocol import FAULT, PICTURE, REPORT, SECONDS, Order
from eclair.sandbox.pool import Guests
from eclair.settings import Settings

AT_ONCE = 2
WAITING = 16
"""Files that may wait to be looked at: whoever reaches the page may bring some."""

_MODULE = "eclair.provenance.worker"
_REPORT = TypeAdapter(Report)
_DAMAGED = "is damaged, or takes too much to read"


class Marks:
    """With `stay`, what reads files is ready for the next one, and `close` has to be called."""

    def __init__(self, certificates: Certificates, stay: bool = False) -> None:
        self._certificates = certificates
        self._guests = Guests(_MODULE, stay)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._looking = 0

    @classmethod
    def configured(cls, settings: Settings, stay: bool = False) -> Marks:
        return cls(Certificates.configured(settings), stay)

    async def close(self) -> None:
        await self._guests.close()

    async def mark(self, image: bytes, made: Made, form: Form | None = None, quality: int = QUALITY) -> bytes:
        """The picture with all three marks, in the form that it came in or another; the `quality` of what loses some is
        from 1 to 100. What no model made bears no watermark, which speaks of AI.

        Raises UnreadableFile for what is no picture that can bear them, and SettingsError without a usable certificate:
        what cannot be marked does not go out.
        """
        certificate = await asyncio.to_thread(self._certificates.signing)
        async with self._places:
            picture, media = await self._written(
                image, Order("mark", xmp.packet(made).decode(), made.how != "drawn", form, quality)
            )
        try:
            return await asyncio.to_thread(c2pa.sign, picture, media, made, certificate)
        except c2pa.Unsigned as error:
            raise SettingsError(
                f"The certificate of mark_certificate does not sign Content Credentials ({error}); see docs/marks.md."
            ) from error

    async def check(self, path: Path, name: str) -> Report:
        """What the marks of a file say; faults call it `name`. Raises UnreadableFile, and TooBusy while many wait."""
        known = await asyncio.to_thread(self._certificates.known)
        order = Order("look", path=str(path), known=known)
        async with self._place():
            answer = await self._answer(order, b"", name)
        return await asyncio.to_thread(_report, answer, name)

    async def _written(self, image: bytes, order: Order) -> tuple[bytes, str]:
        """The picture with the marks that need no key, and its type. Raises UnreadableFile."""
        answer = await self._answer(order, image, "The picture")
        media, _, picture = answer[1:].partition(b"\n")
        if answer[:1] != PICTURE or not picture:
            raise UnreadableFile(f"The picture {_DAMAGED}.")
        return picture, media.decode(errors="replace")

    async def _answer(self, order: Order, data: bytes, name: str) -> bytes:
        """What the process says, of which nothing is believed but its form. Raises UnreadableFile."""
        try:
            answer = await self._guests.ask(orjson.dumps(asdict(order)) + b"\n" + data, SECONDS)
        except TimeoutError:
            raise UnreadableFile(f"{name} takes too long to read.") from None
        if answer[:1] == FAULT:
            raise UnreadableFile(f"{name} {answer[1:].decode(errors='replace')}.")
        return answer

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        if self._looking >= AT_ONCE + WAITING:
            raise TooBusy("Many files are being looked at; try again in a minute.")
        self._looking += 1
        try:
            async with self._places:
                yield
        finally:
            self._looking -= 1


def _report(answer: bytes, name: str) -> Report:
    try:
        if answer[:1] == REPORT:
            return _REPORT.validate_json(answer[1:])
    except ValidationError:
        pass
    raise UnreadableFile(f"{name} {_DAMAGED}.")
