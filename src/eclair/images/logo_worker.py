"""Makes a logo from a picture inside a sandbox: draws or decodes it, scales it down, and encodes it as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from PIL import Image

from eclair.documents.photos.svg import UnreadableSvg, render_svg
from eclair.images.logo_protocol import CPU_LIMIT_S, MEMORY_LIMIT_BYTES, PROTOCOL, MadeLogo, MakeLogo
from eclair.sandbox.images import decode_image, open_image
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 25_000_000

_TEXT = re.compile(rb"<(?:svg:)?text[\s>]")
_DAMAGED = "is damaged and cannot be read; save it again from the program that made it"
_UNSUPPORTED = "is not an SVG, PNG, JPEG or WebP; save it as one of these"


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: MakeLogo) -> Iterator[MadeLogo]:
    """Yield the logo. Raises Rejected with a predicate that lacks its subject and full stop."""
    is_text = request.image.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    image = _drawn(request.image) if is_text else _decoded(request.image)
    image.thumbnail((request.side, request.side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    yield MadeLogo(out.getvalue())


def _drawn(data: bytes) -> Image.Image:
    if _TEXT.search(data) is not None:
        raise Rejected("has text, whose font isn't here; convert the text to paths")
    try:
        return render_svg(data, background=None).convert("RGBA")
    except UnreadableSvg as error:
        raise Rejected(_UNSUPPORTED) from error


def _decoded(data: bytes) -> Image.Image:
    image = open_image(io.BytesIO(data), FORMATS, _UNSUPPORTED, _DAMAGED)
    if image.width * image.height > MAX_PIXELS:
        raise Rejected(f"has more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller")
    return decode_image(image, _DAMAGED).convert("RGBA")
