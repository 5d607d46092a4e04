"""Photos for tests: quarters of red, green, blue and white, in every format, with what cameras note beside them."""

from __future__ import annotations

import base64
import io
import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

RED, GREEN, BLUE, WHITE = (230, 40, 40), (40, 200, 60), (40, 60, 220), (240, 240, 240)
"""Top left, top right, bottom left, bottom right."""

_RECORD = base64.b64decode(
    "AQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoBAgIFlu"
    "pJKa5uAhoMCAAAAMgAAAAwCEYgABAAdEAcFysCJA"
)
_TILE = base64.b64decode(
    "AAAAsCgBrw7gNIMBydf5LxP//Rh3IfzaWoNYmbTQiLM/OvS/+Dlf/+42t01p/o+CFuWX5z5f+Ps8h/Uk7L/07c8XeYsbWTez1c2KqnONwmuR"
    "sheHEynq0Q/2F//umwvmfJEzi/EOSS4GWdArmEu6sGwvHmRXrgcbQyReZ9cl2MVBAnee6GOpLi03fquRjaVJDvJrBzczEWuHa4ySwaf7DmIP"
    "+EhBV+B5xzv/u/Qinz/K1Kps"
)
"""The quarters on 128 x 128 pixels in HEVC: its record of parameters, and its one frame."""


def quarters(side: int = 128) -> Image.Image:
    image = Image.new("RGB", (side, side), RED)
    half = side // 2
    image.paste(GREEN, (half, 0, side, half))
    image.paste(BLUE, (0, half, half, side))
    image.paste(WHITE, (half, half, side, side))
    return image


def exif(
    *,
    orientation: int = 1,
    taken: str = "2024:05:17 14:03:22",
    place: tuple[float, float] | None = None,
    serial: str = "",
    owner: str = "",
) -> bytes:
    tags = Image.Exif()
    tags[Base.Orientation] = orientation
    tags[Base.Make], tags[Base.Model] = "Fuji", "X-T5"
    if owner:
        tags[Base.Artist] = owner
    inner: dict[int, Any] = {Base.DateTimeOriginal: taken}
    if serial:
        inner[Base.BodySerialNumber] = serial
    tags._ifds[IFD.Exif] = inner  # pyright: ignore[reportPrivateUsage]
    if place is not None:
        north, east = place
        tags._ifds[IFD.GPSInfo] = {  # pyright: ignore[reportPrivateUsage]
            GPS.GPSLatitudeRef: "N" if north >= 0 else "S",
            GPS.GPSLatitude: _sexagesimal(north),
            GPS.GPSLongitudeRef: "E" if east >= 0 else "W",
            GPS.GPSLongitude: _sexagesimal(east),
        }
    return tags.tobytes()


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    minutes = abs(degrees) % 1 * 60
    return float(int(abs(degrees))), float(int(minutes)), round(minutes % 1 * 60, 4)


def encoded(image: Image.Image, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def heic(
    *,
    turned: int = 0,
    mirrored: int | None = None,
    columns: int = 0,
    noted: bytes = b"",
    more: Sequence[bytes] = (),
) -> bytes:
    """The quarters as a phone saves them, or so many `columns` of them as one picture, less eight pixels at its end.

    `more` are properties that no item has.
    """
    tiles = columns or 1
    properties = [_box(b"hvcC", _RECORD), _full(b"ispe", struct.pack(">II", 128, 128))]
    of_first = [1, 2]
    if columns:
        properties.append(_full(b"ispe", struct.pack(">II", columns * 128 - 8, 128)))
        of_first = [3]
    if turned:
        properties.append(_box(b"irot", bytes([turned])))
        of_first.append(len(properties))
    if mirrored is not None:
        properties.append(_box(b"imir", bytes([mirrored])))
        of_first.append(len(properties))
    properties += more
    items: list[tuple[int, bytes, bytes, list[int]]] = []
    if columns:
        grid = struct.pack(">BBBBHH", 0, 0, 0, columns - 1, columns * 128 - 8, 128)
        items.append((1, b"grid", grid, of_first))
        items += [(2 + at, b"hvc1", _TILE, [1, 2]) for at in range(tiles)]
    else:
        items.append((1, b"hvc1", _TILE, of_first))
    links = [_box(b"dimg", struct.pack(f">HH{tiles}H", 1, tiles, *range(2, 2 + tiles)))] if columns else []
    if noted:
        items.append((50, b"Exif", struct.pack(">I", 6) + b"Exif\0\0" + noted.removeprefix(b"Exif\0\0"), []))
        links.append(_box(b"cdsc", struct.pack(">HHH", 50, 1, 1)))
    return _file(items, properties, links)


def _file(
    items: Sequence[tuple[int, bytes, bytes, list[int]]], properties: Sequence[bytes], links: Sequence[bytes]
) -> bytes:
    def meta(start: int) -> bytes:
        places, at = b"", start
        for id, _, data, _ in items:
            places += struct.pack(">HHHHII", id, 0, 0, 1, at, len(data))
            at += len(data)
        kinds = b"".join(_full(b"infe", struct.pack(">HH", id, 0) + kind + b"\0", 2) for id, kind, _, _ in items)
        of = b"".join(struct.pack(">HB", id, len(own)) + bytes(own) for id, _, _, own in items)
        parts = [
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iinf", struct.pack(">H", len(items)) + kinds),
            _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)) + places, 1),
            _box(
                b"iprp",
                _box(b"ipco", b"".join(properties)) + _full(b"ipma", struct.pack(">I", len(items)) + of),
            ),
            *([_full(b"iref", b"".join(links))] if links else []),
        ]
        return _full(b"meta", b"".join(parts))

    head = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", b"".join(data for _, _, data, _ in items))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _full(kind: bytes, body: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + body)


SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 2 2">
<rect width="2" height="2" fill="#e62828"/><rect x="1" width="1" height="1" fill="#28c83c"/>
<rect y="1" width="1" height="1" fill="#283cdc"/><rect x="1" y="1" width="1" height="1" fill="#f0f0f0"/>{more}</svg>"""


def every(noted: bytes = b"") -> dict[str, bytes]:
    """The quarters in each format, by the name of a file; `noted` where the format takes it."""
    image, more = quarters(), {"exif": noted} if noted else {}
    return {
        "photo.jpg": encoded(image, "JPEG", quality=95, **more),
        "photo.png": encoded(image, "PNG", **more),
        "photo.webp": encoded(image, "WEBP", lossless=True, **more),
        "photo.avif": encoded(image, "AVIF", quality=95, **more),
        "photo.gif": encoded(image, "GIF"),
        "photo.tiff": encoded(image, "TIFF", **more),
        "photo.bmp": encoded(image, "BMP"),
        "photo.heic": heic(noted=noted),
        "photo.svg": SVG.format(more="").encode(),
    }


def malformed(count: int = 100, seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """Pictures that are cut off, changed, empty, too large, or something else besides: names and bytes."""
    draw = random.Random(seed)
    sound = every()
    yield "bomb.png", _bomb(60_000, 60_000)
    yield "bomb.svg", SVG.format(more=_multiplying()).encode()
    yield "entities.svg", _entities()
    yield "polyglot.jpg", sound["photo.jpg"] + b"PK\3\4" + b"<script>alert(1)</script>" * 50
    yield "polyglot.gif", b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//"
    yield "pdf.png", b"\x89PNG\r\n\x1a\n%PDF-1.7\n1 0 obj\n"
    yield "loop.tiff", _looping()
    yield "tiles.heic", heic(columns=200)[:-200]
    yield "huge.heic", heic().replace(struct.pack(">II", 128, 128), struct.pack(">II", 90_000, 90_000))
    yield "empty.webp", b"RIFF\4\0\0\0WEBP"
    for at in range(count - 10):
        name, data = draw.choice(sorted(sound.items()))
        if at % 2:
            yield f"cut-{at}-{name}", data[: draw.randrange(12, max(13, len(data) - 1))]
        else:
            wrong = bytearray(data)
            for _ in range(draw.randrange(1, 40)):
                wrong[draw.randrange(12, len(wrong))] = draw.randrange(256)
            yield f"wrong-{at}-{name}", bytes(wrong)


def _bomb(wide: int, high: int) -> bytes:
    """A small PNG of very many pixels."""
    whole = encoded(Image.new("1", (8, 8)), "PNG")
    head = b"IHDR" + struct.pack(">II", wide, high) + whole[24:29]
    return whole[:12] + head + struct.pack(">I", _crc(head)) + whole[33:]


def _crc(data: bytes) -> int:
    import zlib

    return zlib.crc32(data)


def _multiplying() -> str:
    """Shapes made of ten others each, eight times over."""
    layers = ['<g id="a0"><circle r="1"/></g>']
    layers += [f'<g id="a{at}">' + f'<use xlink:href="#a{at - 1}"/>' * 10 + "</g>" for at in range(1, 9)]
    return f'<defs>{"".join(layers)}</defs><use xlink:href="#a8"/>'


def _entities() -> bytes:
    layers = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 10))
    return f'<!DOCTYPE svg [<!ENTITY e0 "spam">{layers}]><svg xmlns="http://www.w3.org/2000/svg"><text>&e9;</text></svg>'.encode()


def _looping() -> bytes:
    """A TIFF whose next page is its first."""
    return b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 256, 3, 1, 1) + struct.pack("<I", 8)
