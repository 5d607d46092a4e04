"""Opens images upright: PNG, JPEG, WebP, AVIF, HEIC, TIFF, GIF, BMP and SVG."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from eclair.documents.photos import svg
from eclair.documents.photos.heif_items import check_items
from eclair.documents.readers.base import SourceFile, damaged_file
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected

_cms: Any = ImageCms
_BROKEN = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RuntimeError,
)
"""Raised by Pillow and libheif on damaged files."""


def count_pages(source: SourceFile) -> int:
    """Return the number of pages. Only TIFF has more than one."""
    if source.media != "image/tiff":
        return 1
    with _open_pillow(source) as image:
        return getattr(image, "n_frames", 1)


def open_page(source: SourceFile, number: int) -> Image.Image:
    """Return page `number` in sRGB, upright, with `dpi` and `exif` in its `info`. Raises Rejected."""
    if number > 1 and source.media != "image/tiff":
        raise Rejected(f"{source.name} has no page {number}.", "missing")
    if source.media == "image/heic":
        return _open_heic(source)
    if source.media == "image/svg+xml":
        return _open_svg(source)
    with _open_pillow(source) as image:
        try:
            image.seek(number - 1)
        except EOFError as error:
            raise Rejected(f"{source.name} has no page {number}.", "missing") from error
        _check_size(image.width, image.height, source)
        try:
            image.load()
        except _BROKEN as error:
            raise damaged_file(source.name) from error
        exif = _read_exif(image)
        seen = _to_rgb(_rotate_upright(image))
        if "dpi" in image.info:
            seen.info["dpi"] = image.info["dpi"]
        seen.info["exif"] = exif
        return seen


def _read_exif(image: Image.Image) -> bytes:
    """Return the Exif block as in a TIFF; empty where it is damaged, since the picture isn't."""
    try:
        return image.getexif().tobytes() if image.format == "TIFF" else image.info.get("exif", b"")
    except (*_BROKEN, struct.error):
        return b""


def _rotate_upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (*_BROKEN, struct.error):
        return image


def _open_pillow(source: SourceFile) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # `_check_size` bounds them, with a sentence
    try:
        image = Image.open(open_input(source.path))
    except _BROKEN as error:
        raise damaged_file(source.name) from error
    _check_size(image.width, image.height, source)
    return image


def _open_heic(source: SourceFile) -> Image.Image:
    """Return a HEIC photo, turned as its container says; its Exif orientation doesn't apply."""
    import pi_heif  # pyright: ignore[reportMissingTypeStubs]

    try:
        with open_input(source.path) as file:
            check_items(file, source.name)
            photo = pi_heif.open_heif(file, convert_hdr_to_8bit=True)
            _check_size(*photo.size, source)
            image = photo.to_pillow()
    except _BROKEN as error:
        raise damaged_file(source.name) from error
    seen = _to_rgb(image)
    seen.info["exif"] = image.info.get("exif") or b""
    return seen


def _open_svg(source: SourceFile) -> Image.Image:
    size = source.path.stat().st_size
    if size > svg.MAX_SVG_BYTES:
        raise Rejected(
            f"{source.name} has {size >> 20} MB, the limit for an SVG is {svg.MAX_SVG_BYTES >> 20} MB; send it as PNG.",
            "too_large",
        )
    try:
        return svg.render_svg(open_input(source.path).read())
    except svg.UnreadableSvg as error:
        raise Rejected(
            f"{source.name} cannot be drawn; save it again from the program that made it, or send it as PNG."
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return eight bits each of red, green and blue, on a white background."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        seen = Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    else:
        seen = _to_eight_bits(image).convert("RGB")
    if image.mode in ("RGB", "RGBA") and image.info.get("icc_profile"):
        seen.info["icc_profile"] = image.info["icc_profile"]
    return _to_srgb(seen)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert the picture to sRGB; leave it as it is if its profile is wrong."""
    profile = image.info.pop("icc_profile", None)
    if not profile or b"sRGB" in profile:
        return image
    info = image.info
    try:
        known = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        seen = ImageCms.profileToProfile(image, known, _cms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image
    assert seen is not None
    seen.info = info
    return seen


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Reduce a picture with more than eight bits per channel, of which Pillow would keep the lowest."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) / max(1e-9, high - low) * 255).astype(np.uint8))


def _check_size(wide: int, high: int, source: SourceFile) -> None:
    if wide * high > source.limits.pixels:
        raise Rejected(
            f"{source.name} has {wide * high / 1e6:,.0f} million pixels and the limit is "
            f"{source.limits.pixels / 1e6:,.0f}; make it smaller and send it again.",
            "too_large",
        )
