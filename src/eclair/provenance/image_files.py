"""Pictures: what is decoded, with what is written into it and what is read of it. This runs in a bounded process.

What is written anew keeps its size, its colours' profile and nothing else that stood beside the picture: neither a
prompt nor a place.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from eclair.provenance import watermark
from eclair.provenance.report import QUALITY, Form, Watermark
from eclair.sandbox.images import decode_image, open_image
from eclair.sandbox.protocol import Rejected

READ = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000")
"""What is decoded; other kinds bring parsers along that call programs."""

WRITTEN = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
"""What can bear all three marks."""

MOST_READ, MOST_WRITTEN = 120_000_000, 50_000_000
"""Pixels."""

_DAMAGED = "is damaged and cannot be read"
_XMP_TAG = 700
_GREY = ("1", "L")


def written(
    data: bytes, packet: bytes, into: Form | None = None, quality: int = QUALITY, watermarked: bool = True
) -> tuple[bytes, str]:
    """The picture with `packet` beside it and perhaps the watermark under it, in the form that it came in or another,
    and its type (RFC 6838). Raises Rejected."""
    image = _opened(io.BytesIO(data))
    form = into.upper() if into is not None else "JPEG" if image.format == "MPO" else str(image.format)
    if form not in WRITTEN:
        raise Rejected(f"is of a kind that cannot bear all marks ({form}); make a PNG, JPEG, WebP, AVIF or TIFF")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise Rejected("has several pages or moves; mark each picture by itself")
    if image.width * image.height > MOST_WRITTEN:
        raise Rejected(f"has more than {MOST_WRITTEN // 1_000_000} million pixels; make it smaller")
    if image.mode.startswith(("I", "F")):
        raise Rejected("has more than eight bits a colour; make it with eight")
    profile: bytes | None = image.info.get("icc_profile") if image.mode != "CMYK" else None
    upright = _flat(ImageOps.exif_transpose(decode_image(image, _DAMAGED)))
    if form == "JPEG" and upright.mode == "RGBA":  # which lets nothing through
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    picture = _watermarked(upright) if watermarked else upright
    out = io.BytesIO()
    picture.save(out, form, icc_profile=profile, **_options(form, data, packet, quality))
    return out.getvalue(), f"image/{form.lower()}"


def _watermarked(image: Image.Image) -> Image.Image:
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    changed = Image.fromarray(watermark.embed(np.asarray(colours)))
    if image.mode == "RGBA":
        changed.putalpha(image.getchannel("A"))
    return changed


def looked_at(path: Path) -> tuple[str | None, bytes | None, Watermark]:
    """The type of a picture, the note beside it, and its watermark; without a type where the file is no picture that is
    decoded."""
    with path.open("rb") as file:
        try:
            image = _opened(file)
        except Rejected:
            return None, None, Watermark("unread")
        media, packet = Image.MIME.get(str(image.format)), _packet(image)
        if image.width * image.height > MOST_READ:
            return media, packet, Watermark("unread")
        try:
            chance = watermark.found_by_chance(grey(image))
        except Rejected:
            return media, packet, Watermark("unread")
    if chance > watermark.CHANCE:
        return media, packet, Watermark("absent")
    return media, packet, Watermark("found", chance)


def _opened(source: BinaryIO) -> Image.Image:
    return open_image(source, READ, "is no picture, or of a kind that is not read", _DAMAGED)


def _flat(image: Image.Image) -> Image.Image:
    """In grey, colours, or colours that let something through; with eight bits each."""
    if image.mode in _GREY:
        return image.convert("L")
    through = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return image.convert("RGBA" if through else "RGB")


def grey(image: Image.Image) -> watermark.Grey:
    """As the watermark is looked for in it. Raises Rejected."""
    image.draft("RGB", (2 * watermark.LONGEST, 2 * watermark.LONGEST))
    flat = _flat(decode_image(image, _DAMAGED))
    if flat.mode == "RGBA":
        flat = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat).convert("RGB")
    scale = watermark.LONGEST / max(flat.size)
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
    """How it is written."""
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
