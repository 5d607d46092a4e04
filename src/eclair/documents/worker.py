"""Parses documents page by page inside a sandbox, and renders their pages."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from eclair.documents.page_images import render_page
from eclair.documents.parse_protocol import (
    PROTOCOL,
    PageRead,
    ParseRequest,
    ParseResult,
    PrepareImage,
    ReadDocument,
    RenderedPage,
    RenderPage,
    SoundBytes,
    UnpackSound,
)
from eclair.documents.readers import open_source, read
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve
from eclair.schema.documents import About, Opened, Page, Prepared, SoundMember, UnreadPart

ReadDocumentFile = Callable[[ReadDocument], Iterator[Opened | Page | UnreadPart | SoundMember | About]]

SOUND_CHUNK_BYTES = 1 << 20


def main(reader: ReadDocumentFile | None = None) -> None:
    """Serve requests; `reader` reads files in place of `read_document`."""
    # A page is thousands of values without cycles; looking for some took a quarter of the time.
    gc.set_threshold(100_000, 50, 100)
    serve(PROTOCOL, lambda request: handle(request, reader or read_document), _limits)


def read_document(request: ReadDocument) -> Iterator[Opened | Page | UnreadPart | SoundMember | About]:
    """Yield the pages of a document. Raises Rejected."""
    labels = Path(request.labels) if request.labels is not None else None
    yield from read(open_source(Path(request.path), request.name, request.limits, request.after, labels))


def handle(request: ParseRequest, reader: ReadDocumentFile) -> Iterator[ParseResult]:
    """Yield the results of a request. Raises Rejected with a whole sentence for people."""
    match request:
        case ReadDocument():
            for piece in reader(request):
                yield PageRead.pack(piece) if isinstance(piece, Page) else piece
        case RenderPage():
            source = open_source(Path(request.path), request.name, request.limits)
            yield RenderedPage(render_page(source, request.page, request.width))
        case PrepareImage():
            yield _prepare(request)
        case UnpackSound():
            yield from _unpack_sound(request)


def _unpack_sound(request: UnpackSound) -> Iterator[SoundBytes]:
    from eclair.documents.readers.embedded_sound import open_sound_member

    source = open_source(Path(request.path), request.name, request.limits)
    with open_sound_member(source, request.member) as sound, sound.path.open("rb") as file:
        while data := file.read(SOUND_CHUNK_BYTES):
            yield SoundBytes(data)


def _prepare(request: PrepareImage) -> Prepared:
    source = open_source(Path(request.path), request.name, request.limits)
    if not source.media.startswith("image/"):
        raise Rejected(f"{request.name} is not an image.", "missing")
    from eclair.documents.photos.resize import prepare

    return prepare(source, request.side)


def _limits(request: ParseRequest) -> ProcessLimits:
    """Limit memory, and CPU time until the next page; the parent limits wall time."""
    limits = request.limits
    cpu_s = limits.seconds * (os.cpu_count() or 1)
    return ProcessLimits(limits.memory_mb << 20, cpu_s, limits.unpacked, renewed=True)
