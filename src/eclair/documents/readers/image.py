"""Pictures of text: PNG, JPEG, WebP, TIFF with all its pages, GIF and BMP, read by OCR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eclair.documents.layout import Blocks, Drawn
from eclair.documents.readers.base import Fault, Opened, Piece, Remarked, Source, damaged

LONGEST = 3600
"""Pixels of the longer side of a picture that is read; a larger one is made smaller first."""


def read(source: Source) -> Iterator[Piece]:
    count = frames(source)
    if count > source.limits.pages:
        raise Fault("large", f"{source.name} has {count:,} pages; the limit is {source.limits.pages:,}.")
    yield Opened(source.media, count)
    from eclair.documents.ocr import lines_of  # what OCR takes is loaded when it is needed

    blocks = Blocks()
    for number in range(source.after + 1, count + 1):
        try:
            image = frame(source, number)
        except Fault:
            if count == 1:
                raise
            yield Remarked(f"Page {number} of {source.name} is damaged and was not read.")
            continue
        scale = min(1.0, LONGEST / max(image.size))
        seen = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        points = 72 / _dpi(image)
        pixels = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
        lines, quarter = lines_of(pixels, points / scale)
        sides = [round(image.width * points, 2), round(image.height * points, 2)]
        wide, high = sides[::-1] if quarter % 2 else sides
        drawn = Drawn(number, lines, wide, high, read="ocr", quarter=quarter)
        blocks.learn(drawn)
        yield blocks.page(drawn)


def frames(source: Source) -> int:
    """How many pages it has. Only those of a TIFF are pages."""
    with _opened(source) as image:
        _check(image, source)
        return getattr(image, "n_frames", 1) if source.media == "image/tiff" else 1


def frame(source: Source, number: int) -> Image.Image:
    """Page `number` as it is to be seen, in colours. Raises Fault."""
    with _opened(source) as image:
        try:
            image.seek(number - 1)
        except EOFError as error:
            raise Fault("missing", f"{source.name} has no page {number}.") from error
        _check(image, source)
        dpi = image.info.get("dpi")
        try:
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise damaged(source.name) from error
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            paper = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(paper, upright.convert("RGBA"))
        seen = _eight_bits(upright).convert("RGB")
        if dpi is not None:
            seen.info["dpi"] = dpi
        return seen


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of more than eight bits a colour, of which Pillow would only keep the lowest."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, np.float64)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) / max(1e-9, high - low) * 255).astype(np.uint8))


def _opened(source: Source) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # `_check` bounds them, with a sentence
    try:
        return Image.open(source.path)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise damaged(source.name) from error


def _check(image: Image.Image, source: Source) -> None:
    if image.width * image.height > source.limits.pixels:
        raise Fault(
            "large",
            f"{source.name} has {image.width * image.height / 1e6:,.0f} million pixels and the limit is "
            f"{source.limits.pixels / 1e6:,.0f}; make it smaller and send it again.",
        )


def _dpi(image: Image.Image) -> float:
    """Pixels an inch: what the picture says where that makes a sheet, else such that it is as wide as one."""
    said = image.info.get("dpi")
    if said is not None:
        across = float(said[0])
        if across > 0 and 200 <= image.width * 72 / across <= 2000:
            return across
    return max(image.width * 72 / 595, 1.0)
