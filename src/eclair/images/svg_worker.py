"""Renders one SVG inside a sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import resvg_py

from eclair.images.svg_protocol import CPU_LIMIT_S, MEMORY_LIMIT_BYTES, PROTOCOL, RenderedPng, RenderSvg
from eclair.sandbox.protocol import ProcessLimits
from eclair.sandbox.worker import serve


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: RenderSvg) -> Iterator[RenderedPng]:
    yield RenderedPng(
        resvg_py.svg_to_bytes(
            svg_string=request.svg, width=request.width, height=request.height, skip_system_fonts=True
        )
    )
