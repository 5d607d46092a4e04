"""Marks one image or inspects one file, inside a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eclair.provenance import c2pa, image_files, sound_marks, text_marks, xmp
from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    InspectFile,
    MarkedImage,
    MarkImage,
)
from eclair.provenance.provenance_report import ProvenanceReport
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: MarkImage | InspectFile) -> Iterator[MarkedImage | ProvenanceReport]:
    """Yield the result. Raises Rejected with a sentence without subject and full stop."""
    match request:
        case MarkImage():
            yield MarkedImage(
                *image_files.mark_image(
                    request.image, request.packet, request.form, request.quality, request.has_watermark
                )
            )
        case InspectFile():
            yield inspect_file(Path(request.path), request.known)


def inspect_file(path: Path, known: KnownSigners) -> ProvenanceReport:
    """Report a file's origin. Raises Rejected for a type that bears no marks, and for an empty file."""
    if not path.stat().st_size:
        raise Rejected("is empty; choose a file with something in it")
    signed = c2pa.read(path, known)
    media, packet, watermark = image_files.inspect_image(path)
    note = xmp.read_packet(packet if media is not None else xmp.find_packet(path))
    if note.state == "absent" and media is None and (text := text_marks.read_text_mark(path)) is not None:
        media, note = text
    if media is None and (sound := sound_marks.read_sound_mark(path)) is not None:
        media = sound[0]
        note = sound[1] if note.state == "absent" else note
    if media is None and signed.state == "unread" and note.state == "absent" and text_marks.is_plain_text(path):
        media = "text/plain"
    if media is None and signed.state == "unread" and note.state == "absent":
        raise Rejected(
            "is damaged, or of a kind that bears none of the marks that are looked for; choose an image, a film, a "
            "recording, a PDF, an office document, a text, or an export as HTML, Markdown or JSON"
        )
    return ProvenanceReport(media, signed, note, watermark)
