"""The process in which one picture is looked at: bounded, without a network, and gone afterwards.

Standard input has a line of JSON that says what is to be done, then the picture; standard output gets a line of JSON
that says what it is, then what was made of it; or a fault: a sentence without its subject.
"""

from __future__ import annotations

import io
import sys
from dataclasses import asdict

import orjson
from PIL import Image
from pydantic import TypeAdapter

from eclair.images.inspect_protocol import DONE, FAULT, SECONDS, Answer, Order
from eclair.sandbox.images import Unfit, loaded, opened
from eclair.sandbox.worker import enter

MEMORY = 2 << 30
READ = ("PNG", "JPEG", "WEBP")
MOST = 50_000_000
"""Pixels."""
SMALL = 320
"""Pixels of a thumbnail's longer side."""

_DAMAGED = "is damaged and cannot be read; save it anew from the program that made it"
_ORDER = TypeAdapter(Order)


def main() -> None:
    out = enter(MEMORY, SECONDS)
    order = _ORDER.validate_json(sys.stdin.buffer.readline())
    try:
        out.write(_answer(order, sys.stdin.buffer.read()))
    except Unfit as fault:
        out.write(FAULT + str(fault).encode())
    except MemoryError:
        out.write(FAULT + b"takes too much memory; make it smaller")
    except Exception as error:  # libraries raise whatever they like on damaged files
        sys.excepthook(type(error), error, error.__traceback__)
        out.write(FAULT + _DAMAGED.encode())
    out.flush()


def _answer(order: Order, data: bytes) -> bytes:
    image = _opened(data)
    answer = Answer(Image.MIME[str(image.format)], image.width, image.height)
    match order.what:
        case "thumbnail":
            made = _thumbnail(image, order.packet.encode())
        case "mask":
            made = _mask(image, order.width, order.height)
    return DONE + orjson.dumps(asdict(answer)) + b"\n" + made


def _opened(data: bytes) -> Image.Image:
    image = opened(io.BytesIO(data), READ, "is no PNG, JPEG or WebP; save it as one of these", _DAMAGED)
    if image.width * image.height > MOST:
        raise Unfit(f"has more than {MOST // 1_000_000} million pixels; make it smaller")
    return loaded(image, _DAMAGED)


def _thumbnail(image: Image.Image, packet: bytes) -> bytes:
    through = "A" in image.getbands() or "transparency" in image.info
    small = image.convert("RGBA" if through else "RGB")
    small.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=85, method=4, xmp=packet)
    return out.getvalue()


def _mask(image: Image.Image, width: int, height: int) -> bytes:
    """White, and transparent where the picture of that size may change."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        raise Unfit("is transparent nowhere, so that nothing could change; make it transparent where something may")
    if abs(image.width * height - image.height * width) > 0.02 * image.width * height:
        raise Unfit(
            f"is {image.width} × {image.height} and the picture {width} × {height}; make it of the same proportions"
        )
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema()[0] == 255:
        raise Unfit("is transparent nowhere, so that nothing could change; make it transparent where something may")
    if alpha.size != (width, height):
        alpha = alpha.resize((width, height), Image.Resampling.BILINEAR)
    mask = Image.new("RGBA", (width, height), "white")
    mask.putalpha(alpha)
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
