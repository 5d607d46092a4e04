"""Requests to the sandbox that makes logos, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

CPU_LIMIT_S = 20
MEMORY_LIMIT_BYTES = 1 << 30
MAX_RESULT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class MakeLogo:
    """Make a PNG of a picture, at most `side` pixels wide and high."""

    image: bytes
    side: int


@dataclass(frozen=True, slots=True)
class MadeLogo:
    data: bytes


PROTOCOL = SandboxProtocol[MakeLogo, MadeLogo](
    "eclair.images.logo_worker", Codec(MakeLogo), (MadeLogo,), max_result_bytes=MAX_RESULT_BYTES
)
