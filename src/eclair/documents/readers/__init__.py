"""Document readers, one module per family, and the table of media types."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from eclair.documents.limits import Limits
from eclair.documents.readers.base import Reader, ReadPiece, SourceFile, UnpackBudget
from eclair.documents.readers.file_type import DOCX, EPUB, ODP, ODS, ODT, PPTX, SOUND_TYPES, XLSX, sniff
from eclair.schema.documents import Page, UnreadPart

READERS: dict[str, str] = {
    "application/pdf": "pdf",
    "image/png": "image",
    "image/jpeg": "image",
    "image/webp": "image",
    "image/tiff": "image",
    "image/gif": "image",
    "image/bmp": "image",
    "image/avif": "image",
    "image/heic": "image",
    "image/svg+xml": "image",
    "text/plain": "text",
    "text/markdown": "text",
    "text/x-code": "text",
    "application/json": "text",
    "application/xml": "text",
    "text/html": "html",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "message/rfc822": "eml",
    "application/zip": "zip",
    DOCX: "docx",
    ODT: "odf",
    ODP: "odf",
    ODS: "odf",
    EPUB: "epub",
    PPTX: "pptx",
    XLSX: "xlsx",
    "application/rtf": "legacy_office",
    "application/msword": "legacy_office",
    "application/vnd.ms-excel": "legacy_office",
    "application/vnd.ms-powerpoint": "legacy_office",
    "application/vnd.ms-outlook": "legacy_office",
    **dict.fromkeys(SOUND_TYPES, "sound"),
}
"""Module for each media type; each has a function `read`."""


def open_source(path: Path, name: str, limits: Limits, after: int = 0, labels: Path | None = None) -> SourceFile:
    """Return the file with its detected type. Raises Rejected for a type that no reader takes."""
    return SourceFile(path, name, sniff(path, name), limits, UnpackBudget(limits.unpacked), after, labels=labels)


def reader(media: str) -> Reader:
    return importlib.import_module(f"eclair.documents.readers.{READERS[media]}").read


def read(source: SourceFile) -> Iterator[ReadPiece]:
    """Yield what the type's reader reads, up to the page limit. Raises Rejected."""
    for piece in reader(source.media)(source):
        if isinstance(piece, Page):
            if piece.number <= source.after:
                continue
            if piece.number > source.limits.pages:
                yield UnreadPart(
                    f"{source.name} was read up to page {source.limits.pages:,}; send the rest as a file of its own."
                )
                return
        yield piece


__all__ = ["READERS", "open_source", "read", "reader"]
