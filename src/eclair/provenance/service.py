"""Marks what a model made or edited, and inspects files for their origin.

A picture gets three marks that fail in different ways: signed credentials, in which a change shows; IPTC metadata,
which every program reads; and a watermark, which survives saving. Untrusted bytes are read in a sandbox; the key never
goes there. PDFs and speech that are made here get credentials too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from eclair.errors import SettingsError, TooBusy, UnreadableFile
from eclair.provenance import c2pa, xmp
from eclair.provenance.certificates import Certificates, SigningCertificate
from eclair.provenance.provenance_protocol import CPU_LIMIT_S, PROTOCOL, InspectFile, MarkedImage, MarkImage
from eclair.provenance.provenance_report import (
    DEFAULT_QUALITY,
    MAX_MODEL_NAME_CHARS,
    ImageForm,
    Origin,
    ProvenanceReport,
    TextWatermarkFinding,
)
from eclair.provenance.text_watermark import MAX_TEXT_BYTES, detect_watermark
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError, SandboxFault
from eclair.settings import Settings

T = TypeVar("T", MarkedImage, ProvenanceReport)

MAX_CONCURRENT_FILES = 2
MAX_WAITING_INSPECTIONS = 16
"""Anyone who reaches the page can send files."""

TIMEOUT_S = CPU_LIMIT_S + 10

_DAMAGED = "is damaged, or takes too much to read"
_FAULTS: dict[SandboxFault, str] = {
    "timeout": "takes too long to read",
    "memory": "takes too much memory; make it smaller",
    "crash": "is damaged and cannot be read",
    "death": _DAMAGED,
}


class Provenance:
    """Marks and inspects; with `stay` the sandbox stays warm, and `close` must be called."""

    def __init__(self, certificates: Certificates, keys: WatermarkKeys, stay: bool = False) -> None:
        self._certificates = certificates
        self._keys = keys
        self._sandboxes = SandboxPool(PROTOCOL, max_processes=MAX_CONCURRENT_FILES, linger=stay)
        self._inspections = 0

    @classmethod
    def configured(cls, settings: Settings, stay: bool = False) -> Provenance:
        return cls(Certificates.configured(settings), WatermarkKeys.configured(settings), stay)

    async def close(self) -> None:
        await self._sandboxes.close()

    async def mark(
        self, image: bytes, origin: Origin, form: ImageForm | None = None, quality: int = DEFAULT_QUALITY
    ) -> bytes:
        """Return the picture with all three marks, in its own format or `form`, with `quality` from 1 to 100.

        A picture that no model made gets no watermark, which speaks of AI. Raises UnreadableFile for a picture that
        can't bear the marks, and SettingsError without a usable certificate: unmarked pictures never leave.
        """
        certificate = await asyncio.to_thread(self._certificates.signing)
        request = MarkImage(image, xmp.write_packet(origin), origin.how != "drawn", form, quality)
        marked = await self._run(request, MarkedImage, "The image")
        return await _sign(marked.data, marked.media, origin, certificate)

    async def sign_file(self, data: bytes, media: str, models: Sequence[str]) -> bytes:
        """Return a document or sound of ours with signed credentials that name the models. Raises SettingsError."""
        certificate = await asyncio.to_thread(self._certificates.signing)
        names = ", ".join(models)
        name = names if len(names) <= MAX_MODEL_NAME_CHARS else f"{names[: MAX_MODEL_NAME_CHARS - 1]}…"
        return await _sign(data, media, Origin("created", name), certificate)

    @contextmanager
    def reserve_check(self) -> Generator[None]:
        """Hold a place for a file that a stranger sends, from before it is read on. Raises TooBusy if none is free."""
        if self._inspections >= MAX_CONCURRENT_FILES + MAX_WAITING_INSPECTIONS:
            raise TooBusy("Many files are being looked at; try again in a minute.")
        self._inspections += 1
        try:
            yield
        finally:
            self._inspections -= 1

    async def check(self, path: Path, name: str) -> ProvenanceReport:
        """Report a file's origin; errors call the file `name`. Raises UnreadableFile."""
        known = await asyncio.to_thread(self._certificates.known)
        report = await self._run(InspectFile(str(path), known), ProvenanceReport, name)
        if report.media not in ("text/plain", "text/markdown"):
            return report
        return replace(report, text_watermark=await asyncio.to_thread(self._check_text, path))

    def _check_text(self, path: Path) -> TextWatermarkFinding:
        """Test a file for the watermark of texts; unread if it is no text. Blocks. Raises SettingsError."""
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if len(data) < MAX_TEXT_BYTES or error.end < len(data):
                return TextWatermarkFinding("unread")
            text = data[: error.start].decode()  # the limit cut a character
        return TextWatermarkFinding("unread" if "\0" in text else detect_watermark(text, self._keys.all()))

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


async def _sign(data: bytes, media: str, origin: Origin, certificate: SigningCertificate) -> bytes:
    """Raises SettingsError."""
    try:
        return await asyncio.to_thread(c2pa.sign, data, media, origin, certificate)
    except c2pa.SigningFailed as error:
        raise SettingsError(
            f"The certificate mark_certificate cannot sign Content Credentials ({error}); see docs/provenance.md."
        ) from error
