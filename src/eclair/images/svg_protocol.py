"""Requests to the sandbox that renders SVG, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

CPU_LIMIT_S = 60
MEMORY_LIMIT_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class RenderSvg:
    """Render SVG at that size in pixels."""

    svg: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RenderedPng:
    data: bytes


PROTOCOL = SandboxProtocol[RenderSvg, RenderedPng]("eclair.images.svg_worker", Codec(RenderSvg), (RenderedPng,))
