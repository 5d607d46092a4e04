"""Requests to the sandbox that marks pictures and inspects files, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.provenance.certificates import Known
from eclair.provenance.report import Form, Report
from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

CPU_LIMIT_S = 60
MEMORY_LIMIT_BYTES = 3 << 30
MAX_RESULT_BYTES = 512 << 20
"""A TIFF of as many pixels as are marked fits in."""


@dataclass(frozen=True, slots=True)
class MarkImage:
    """Write the XMP `packet` into the picture and, with `has_watermark`, the watermark; in another `form` if given."""

    image: bytes
    packet: bytes
    has_watermark: bool
    form: Form | None
    quality: int


@dataclass(frozen=True, slots=True)
class InspectFile:
    """Report what the file at `path` says of its origin; `known` tells whose signatures are this Éclair's."""

    path: str
    known: Known


@dataclass(frozen=True, slots=True)
class MarkedImage:
    data: bytes
    media: str


PROTOCOL = SandboxProtocol[MarkImage | InspectFile, MarkedImage | Report](
    "eclair.provenance.worker",
    Codec(MarkImage, InspectFile),
    (MarkedImage, Report),
    max_result_bytes=MAX_RESULT_BYTES,
)
