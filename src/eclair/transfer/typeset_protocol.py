"""Requests to the sandbox that lays out PDF documents and draws SVG, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

MEMORY_LIMIT_BYTES = 4 << 30
CPU_LIMIT_S = 60.0
MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class TypesetDocument:
    """Lay out the content that `exporters.pdf` writes."""

    content: bytes


@dataclass(frozen=True, slots=True)
class SvgDrawing:
    """Draw an SVG file as a PNG image."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TypesetFile:
    """The PDF document, or the PNG image."""

    data: bytes


PROTOCOL = SandboxProtocol[TypesetDocument | SvgDrawing, TypesetFile](
    "eclair.transfer.typeset_worker", Codec(TypesetDocument, SvgDrawing), (TypesetFile,)
)
