"""Marks: what a model made or edited says so, to people and machines; and what a file says of how it was made.

A picture gets three marks that fail in different ways: signed credentials, in which a change shows; a note beside the
picture, which every program reads; and a watermark, which stays when the picture is saved anew. Foreign bytes are read
in a process of their own (`process`); the key never goes there.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

from eclair.errors import SettingsError, TooBusy, UnreadableFile
from eclair.provenance import c2pa, xmp
from eclair.provenance.certificates import Certificates
from eclair.provenance.provenance_protocol import CPU_LIMIT_S, PROTOCOL, InspectFile, MarkedImage, MarkImage
from eclair.provenance.report import QUALITY, Form, Made, Report
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError, SandboxFault
from eclair.settings import Settings

T = TypeVar("T", MarkedImage, Report)

MAX_CONCURRENT_FILES = 2
MAX_WAITING_INSPECTIONS = 16
"""Whoever reaches the page may bring some."""

TIMEOUT_S = CPU_LIMIT_S + 10

_DAMAGED = "is damaged, or takes too much to read"
_FAULTS: dict[SandboxFault, str] = {
    "timeout": "takes too long to read",
    "memory": "takes too much memory; make it smaller",
    "crash": "is damaged and cannot be read",
    "death": _DAMAGED,
}


class Marks:
    """With `stay`, what reads files is ready for the next one, and `close` has to be called."""

    def __init__(self, certificates: Certificates, stay: bool = False) -> None:
        self._certificates = certificates
        self._sandboxes = SandboxPool(PROTOCOL, max_processes=MAX_CONCURRENT_FILES, linger=stay)
        self._inspections = 0

    @classmethod
    def configured(cls, settings: Settings, stay: bool = False) -> Marks:
        return cls(Certificates.configured(settings), stay)

    async def close(self) -> None:
        await self._sandboxes.close()

    async def mark(self, image: bytes, made: Made, form: Form | None = None, quality: int = QUALITY) -> bytes:
        """The picture with all three marks, in the form that it came in or another; the `quality` of what loses some is
        from 1 to 100. What no model made bears no watermark, which speaks of AI.

        Raises UnreadableFile for what is no picture that can bear them, and SettingsError without a usable certificate:
        what cannot be marked does not go out.
        """
        certificate = await asyncio.to_thread(self._certificates.signing)
        request = MarkImage(image, xmp.packet(made), made.how != "drawn", form, quality)
        marked = await self._run(request, MarkedImage, "The picture")
        try:
            return await asyncio.to_thread(c2pa.sign, marked.data, marked.media, made, certificate)
        except c2pa.Unsigned as error:
            raise SettingsError(
                f"The certificate of mark_certificate does not sign Content Credentials ({error}); see docs/marks.md."
            ) from error

    async def check(self, path: Path, name: str) -> Report:
        """What the marks of a file say; faults call it `name`. Raises UnreadableFile, and TooBusy while many wait."""
        if self._inspections >= MAX_CONCURRENT_FILES + MAX_WAITING_INSPECTIONS:
            raise TooBusy("Many files are being looked at; try again in a minute.")
        self._inspections += 1
        try:
            known = await asyncio.to_thread(self._certificates.known)
            return await self._run(InspectFile(str(path), known), Report, name)
        finally:
            self._inspections -= 1

    async def _run(self, request: MarkImage | InspectFile, kind: type[T], name: str) -> T:
        """Raises UnreadableFile."""
        try:
            result = await self._sandboxes.run_once(request, timeout_s=TIMEOUT_S)
        except Rejected as rejected:
            raise UnreadableFile(f"{name} {rejected.message}.") from None
        except SandboxError as error:
            raise UnreadableFile(f"{name} {_FAULTS[error.fault]}.") from error
        if not isinstance(result, kind):
            raise UnreadableFile(f"{name} {_DAMAGED}.")
        return result
