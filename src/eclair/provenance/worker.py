"""Marks one picture or inspects one file, inside a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eclair.provenance import c2pa, image_files, xmp
from eclair.provenance.certificates import Known
from eclair.provenance.provenance_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    InspectFile,
    MarkedImage,
    MarkImage,
)
from eclair.provenance.report import Report
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: MarkImage | InspectFile) -> Iterator[MarkedImage | Report]:
    """Yield the result. Raises Rejected with a sentence that lacks its subject and its full stop."""
    match request:
        case MarkImage():
            yield MarkedImage(
                *image_files.written(
                    request.image, request.packet, request.form, request.quality, request.has_watermark
                )
            )
        case InspectFile():
            yield report(Path(request.path), request.known)


def report(path: Path, known: Known) -> Report:
    """What the marks of a file say. Raises Rejected where it is of no kind that bears any."""
    signed = c2pa.read(path, known)
    media, packet, watermark = image_files.looked_at(path)
    note = xmp.read(packet if media is not None else xmp.search(path))
    if media is None and signed.state == "unread" and note.state == "absent":
        raise Rejected(
            "is damaged, or of a kind that bears none of the marks that are looked for; choose a picture, a film, a "
            "recording or a PDF"
        )
    return Report(media, signed, note, watermark)
