"""Requests to the sandbox that inspects pictures, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

CPU_LIMIT_S = 60
MEMORY_LIMIT_BYTES = 2 << 30
MAX_RESULT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class MakeThumbnail:
    """Make a small WebP of the picture, with the XMP `packet` in it."""

    image: bytes
    packet: bytes


@dataclass(frozen=True, slots=True)
class MakeMask:
    """Make a PNG of that size, transparent where the picture is."""

    image: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """The media type and pixel size of an image, and the image that was `made` of it."""

    media: str
    width: int
    height: int
    made: bytes


PROTOCOL = SandboxProtocol[MakeThumbnail | MakeMask, InspectedImage](
    "eclair.images.inspect_worker",
    Codec(MakeThumbnail, MakeMask),
    (InspectedImage,),
    max_result_bytes=MAX_RESULT_BYTES,
)
