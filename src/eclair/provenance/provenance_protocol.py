"""Requests to the sandbox that marks pictures and inspects files, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_report import ImageForm, ProvenanceReport
from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

CPU_LIMIT_S = 60
MEMORY_LIMIT_BYTES = 3 << 30
MAX_RESULT_BYTES = 512 << 20
"""Fits a TIFF of `MAX_MARKED_PIXELS`."""


@dataclass(frozen=True, slots=True)
class MarkImage:
    """Write the XMP `packet` into the picture and, with `has_watermark`, the watermark; in another `form` if given."""

    image: bytes
    packet: bytes
    has_watermark: bool
    form: ImageForm | None
    quality: int


@dataclass(frozen=True, slots=True)
class InspectFile:
    """Report a file's origin; `known` are the signers that are this Éclair."""

    path: str
    known: KnownSigners


@dataclass(frozen=True, slots=True)
class MarkedImage:
    data: bytes
    media: str


PROTOCOL = SandboxProtocol[MarkImage | InspectFile, MarkedImage | ProvenanceReport](
    "eclair.provenance.worker",
    Codec(MarkImage, InspectFile),
    (MarkedImage, ProvenanceReport),
    max_result_bytes=MAX_RESULT_BYTES,
    input_paths=lambda request: (request.path,) if isinstance(request, InspectFile) else (),
)
