"""Inspects one image inside a sandbox: what it is, a thumbnail of it, a mask."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from eclair.images.inspect_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    InspectedImage,
    MakeMask,
    MakeThumbnail,
)
from eclair.sandbox.images import decode_image, open_image
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 50_000_000
THUMBNAIL_SIDE_PX = 320

_DAMAGED = "is damaged and cannot be read; save it again from the program that made it"


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: MakeThumbnail | MakeMask) -> Iterator[InspectedImage]:
    """Yield the image that is asked for. Raises Rejected with a predicate that lacks its subject and full stop."""
    image = _opened(request.image)
    media, width, height = Image.MIME[str(image.format)], image.width, image.height
    match request:
        case MakeThumbnail():
            made = _thumbnail(image, request.packet)
        case MakeMask():
            made = _mask(image, request.width, request.height)
    yield InspectedImage(media, width, height, made)


def _opened(data: bytes) -> Image.Image:
    image = open_image(io.BytesIO(data), FORMATS, "is not a PNG, JPEG or WebP; save it as one of these", _DAMAGED)
    if image.width * image.height > MAX_PIXELS:
        raise Rejected(f"has more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller")
    return decode_image(image, _DAMAGED)


def _thumbnail(image: Image.Image, packet: bytes) -> bytes:
    through = "A" in image.getbands() or "transparency" in image.info
    small = image.convert("RGBA" if through else "RGB")
    small.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=85, method=4, xmp=packet)
    return out.getvalue()


def _mask(image: Image.Image, width: int, height: int) -> bytes:
    """White, and transparent where the image of that size may change."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        raise Rejected("is transparent nowhere, so that nothing could change; make it transparent where something may")
    if abs(image.width * height - image.height * width) > 0.02 * image.width * height:
        raise Rejected(
            f"is {image.width} × {image.height} and the image {width} × {height}; make it of the same proportions"
        )
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema()[0] == 255:
        raise Rejected("is transparent nowhere, so that nothing could change; make it transparent where something may")
    if alpha.size != (width, height):
        alpha = alpha.resize((width, height), Image.Resampling.BILINEAR)
    mask = Image.new("RGBA", (width, height), "white")
    mask.putalpha(alpha)
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
