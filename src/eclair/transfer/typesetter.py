"""Lays out PDF documents and draws SVG in a sandbox: what models write is never trusted."""

from __future__ import annotations

from eclair.errors import InvalidInput, TooLarge
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.transfer.typeset_protocol import CPU_LIMIT_S, PROTOCOL, SvgDrawing, TypesetDocument
from eclair.util.frames import MAX_FRAME_BYTES

TIMEOUT_S = CPU_LIMIT_S + 60
"""Answers have priority."""

_TOO_LARGE = "This conversation is too large for a PDF; export it as a web page, and print that."


async def typeset(content: bytes) -> bytes:
    """Return the PDF of what `exporters.pdf` wrote. Raises TooLarge and InvalidInput."""
    if len(content) > MAX_FRAME_BYTES - 1024:
        raise TooLarge(_TOO_LARGE)
    try:
        pool = SandboxPool(PROTOCOL, scratch=True)
        return (await pool.run_once(TypesetDocument(content), timeout_s=TIMEOUT_S)).data
    except (Rejected, SandboxError) as error:
        if isinstance(error, SandboxError) and error.fault != "crash":
            raise TooLarge(_TOO_LARGE) from error
        raise InvalidInput("This conversation cannot be laid out as a PDF; export it as a web page.") from error


async def draw_svg(data: bytes) -> bytes:
    """Return an SVG file as a PNG image. Raises InvalidInput."""
    try:
        pool = SandboxPool(PROTOCOL, scratch=True)
        return (await pool.run_once(SvgDrawing(data), timeout_s=TIMEOUT_S)).data
    except (Rejected, SandboxError) as error:
        raise InvalidInput("This drawing can't be read.") from error
