"""Pictures and texts for tests of marks, made by arithmetic, and what people do to them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eclair.provenance.text_watermark import is_green, stem_of

Pixels = NDArray[np.uint8]


@cache
def photo(width: int = 640, height: int = 480, seed: int = 1) -> Pixels:
    """Noise as nature has it (its strength falls with the frequency), with a bright calm disc in it."""
    random = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    spectrum = np.fft.rfft2(random.standard_normal((3, height, width))) / np.maximum(np.hypot(down, across), 1e-3)
    values = np.fft.irfft2(spectrum, (height, width))
    values = (values - values.mean()) / values.std() * 45 + 120
    rows, columns = np.mgrid[:height, :width]
    disc = np.hypot(rows - height / 3, columns - width / 2) < height / 5
    return np.clip(np.where(disc, 225, values), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def encoded(pixels: Pixels, form: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **more)
    return out.getvalue()


def decoded(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def resized(pixels: Pixels, factor: float) -> Pixels:
    image = Image.fromarray(pixels)
    size = (round(image.width * factor), round(image.height * factor))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def cropped(pixels: Pixels, part: float) -> Pixels:
    """That part of each side, from somewhere inside."""
    height, width = round(pixels.shape[0] * part), round(pixels.shape[1] * part)
    down, across = (pixels.shape[0] - height) * 2 // 3, (pixels.shape[1] - width) // 3
    return pixels[down : down + height, across : across + width].copy()


def malformed(count: int = 100) -> list[tuple[str, bytes]]:
    """Pictures that are none, or not whole, or two things at once."""
    draw = random.Random(7)
    whole = {form: encoded(photo(96, 80), form) for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")}
    found = [("bomb.png", bomb()), ("page.png", whole["PNG"][:40] + b"<script>alert(1)</script>" * 50)]
    found += [("zip.jpg", whole["JPEG"] + b"PK\5\6" + bytes(18)), ("two.png", whole["PNG"] + whole["JPEG"])]
    found += [("gif.js", b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)"), ("zero.webp", bytes(5000))]
    while len(found) < count:
        form, data = draw.choice(list(whole.items()))
        match draw.randrange(4):
            case 0:
                data = data[: draw.randrange(1, len(data))]
            case 1:
                spots = bytearray(data)
                for _ in range(20):
                    spots[draw.randrange(len(spots))] = draw.randrange(256)
                data = bytes(spots)
            case 2:
                at = draw.randrange(len(data))
                data = data[:at] + draw.randbytes(draw.randrange(1, 400)) + data[at:]
            case _:
                data = data[:30] + draw.randbytes(2000)
        found.append((f"{len(found)}.{form.lower()}", data))
    return found


def bomb() -> bytes:
    """A PNG that claims 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def marked_words(key: bytes, count: int, share: float) -> str:
    """A text of different made-up words, of which a share is green under a key of the watermark of texts."""
    chosen = random.Random(1)
    found: dict[str, str] = {}
    greens = round(count * share)
    while len(found) < count:
        word = "".join(chosen.choices(ascii_lowercase, k=7))
        stem = stem_of(word)
        wants_green = sum(is_green(key, each) for each in found) < greens
        if stem is not None and stem not in found and is_green(key, stem) == wants_green:
            found[stem] = word
    return " ".join(found.values())
