"""Decodes, marks and inspects pictures, inside a sandbox.

A marked picture keeps its size and its color profile, and no other metadata: neither a prompt nor a place.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from eclair.provenance import watermark
from eclair.provenance.provenance_report import DEFAULT_QUALITY, ImageForm, WatermarkFinding
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.images import decode_image, open_image
from eclair.sandbox.protocol import Rejected

READABLE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000")
"""Parsers of other formats call programs."""

MARKABLE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
"""Formats that can bear all three marks."""

MAX_READ_PIXELS, MAX_MARKED_PIXELS = 120_000_000, 50_000_000
"""Pixels."""

_DAMAGED = "is damaged and cannot be read"
_XMP_TAG = 700
_GRAY = ("1", "L")


def mark_image(
    data: bytes, packet: bytes, into: ImageForm | None = None, quality: int = DEFAULT_QUALITY, watermarked: bool = True
) -> tuple[bytes, str]:
    """Write `packet` and the watermark into a picture; return it with its media type (RFC 6838).

    It keeps its format unless `into` names another. Raises Rejected.
    """
    image = _opened(io.BytesIO(data))
    form = into.upper() if into is not None else "JPEG" if image.format == "MPO" else str(image.format)
    if form not in MARKABLE_FORMATS:
        raise Rejected(f"is of a kind that cannot bear all marks ({form}); make a PNG, JPEG, WebP, AVIF or TIFF")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise Rejected("has several pages or moves; mark each image by itself")
    if image.width * image.height > MAX_MARKED_PIXELS:
        raise Rejected(f"has more than {MAX_MARKED_PIXELS // 1_000_000} million pixels; make it smaller")
    if image.mode.startswith(("I", "F")):
        raise Rejected("has more than eight bits a color; make it with eight")
    profile: bytes | None = image.info.get("icc_profile") if image.mode != "CMYK" else None
    upright = _flat(ImageOps.exif_transpose(decode_image(image, _DAMAGED)))
    if form == "JPEG" and upright.mode == "RGBA":  # which lets nothing through
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    picture = _watermarked(upright) if watermarked else upright
    out = io.BytesIO()
    picture.save(out, form, icc_profile=profile, **_options(form, data, packet, quality))
    return out.getvalue(), f"image/{form.lower()}"


def _watermarked(image: Image.Image) -> Image.Image:
    colors = image.convert("RGB") if image.mode == "RGBA" else image
    changed = Image.fromarray(watermark.embed(np.asarray(colors)))
    if image.mode == "RGBA":
        changed.putalpha(image.getchannel("A"))
    return changed


def inspect_image(path: Path) -> tuple[str | None, bytes | None, WatermarkFinding]:
    """Return an image's media type, XMP packet and watermark; no type for files that aren't decoded."""
    with open_input(path) as file:
        try:
            image = _opened(file)
        except Rejected:
            return None, None, WatermarkFinding("unread")
        media, packet = Image.MIME.get(str(image.format)), _packet(image)
        if image.width * image.height > MAX_READ_PIXELS:
            return media, packet, WatermarkFinding("unread")
        try:
            chance = watermark.chance_of_finding(gray(image))
        except Rejected:
            return media, packet, WatermarkFinding("unread")
    if chance > watermark.MAX_CHANCE:
        return media, packet, WatermarkFinding("absent")
    return media, packet, WatermarkFinding("found", chance)


def _opened(source: BinaryIO) -> Image.Image:
    return open_image(source, READABLE_FORMATS, "is not an image, or of a type that cannot be read here", _DAMAGED)


def _flat(image: Image.Image) -> Image.Image:
    """Return the image in gray, RGB or RGBA, with eight bits per channel."""
    if image.mode in _GRAY:
        return image.convert("L")
    through = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return image.convert("RGBA" if through else "RGB")


def gray(image: Image.Image) -> watermark.GrayImage:
    """Return the image as the watermark search takes it. Raises Rejected."""
    image.draft("RGB", (2 * watermark.SEARCH_SIDE_PX, 2 * watermark.SEARCH_SIDE_PX))
    flat = _flat(decode_image(image, _DAMAGED))
    if flat.mode == "RGBA":
        flat = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat).convert("RGB")
    scale = watermark.SEARCH_SIDE_PX / max(flat.size)
    if scale < 1:
        size = (max(1, round(flat.width * scale)), max(1, round(flat.height * scale)))
        flat = flat.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    return watermark.luminance(np.asarray(flat))


def _packet(image: Image.Image) -> bytes | None:
    found: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if found is None and image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(_XMP_TAG)
    if isinstance(found, str):
        return found.encode(errors="replace")
    return found if isinstance(found, bytes) else None


def _options(form: str, data: bytes, packet: bytes, quality: int) -> dict[str, Any]:
    """Return Pillow's options for writing the format."""
    match form:
        case "PNG":
            beside = PngImagePlugin.PngInfo()
            beside.add_itxt("XML:com.adobe.xmp", packet.decode())
            return {"pnginfo": beside, "compress_level": 4}
        case "JPEG":
            return {"xmp": packet, "quality": quality, "subsampling": 0}
        case "WEBP":
            return {"xmp": packet, "lossless": b"VP8L" in data[:64], "quality": quality, "method": 3}
        case "AVIF":
            return {"xmp": packet, "quality": 90, "speed": 8}
        case _:
            return {"compression": "tiff_adobe_deflate", "tiffinfo": {_XMP_TAG: packet}}
