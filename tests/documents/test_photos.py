"""Photos through the reading process: every format, upright, without what gives people away, and none that hurts."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.errors import TooLarge, UnreadableFile, UserError
from eclair.schema.documents import DESCRIPTION, PLACE, Prepared
from tests.documents import drawings, files, photos
from tests.documents.conftest import Told, read

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEAR = 14
zxing: Any = zxingcpp


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def _corners(prepared: Prepared) -> list[tuple[int, ...]]:
    """The colours of the quarters: top left, top right, bottom left, bottom right."""
    image = Image.open(io.BytesIO(prepared.data))
    assert image.size == (prepared.width, prepared.height)
    wide, high = image.size
    places = [
        (wide // 4, high // 4),
        (wide * 3 // 4, high // 4),
        (wide // 4, high * 3 // 4),
        (wide * 3 // 4, high * 3 // 4),
    ]
    return [tuple(np.asarray(image)[y, x].tolist()) for x, y in places]


def _like(found: list[tuple[int, ...]], *wanted: tuple[int, ...]) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= NEAR)


@pytest.mark.parametrize("name", photos.every())
async def test_every_format(parser: Parser, tmp_path: Path, name: str) -> None:
    prepared = await parser.prepare_image(_written(tmp_path, photos.every()[name]), name, 1024)
    assert _like(_corners(prepared), photos.RED, photos.GREEN, photos.BLUE, photos.WHITE)
    assert prepared.media == ("image/png" if name.endswith((".png", ".gif", ".bmp", ".svg")) else "image/jpeg")


async def test_no_larger_than_is_used(parser: Parser, tmp_path: Path) -> None:
    data = photos.encoded(photos.quarters(800).resize((800, 400)), "JPEG")
    prepared = await parser.prepare_image(_written(tmp_path, data), "photo.jpg", 320)
    assert (prepared.width, prepared.height) == (320, 160)


async def test_upright_however_the_camera_was_held(parser: Parser, tmp_path: Path) -> None:
    stored = {
        1: Image.Transpose.FLIP_LEFT_RIGHT,  # never used, as 1 is upright
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    for orientation, turn in stored.items():
        image = photos.quarters() if orientation == 1 else photos.quarters().transpose(turn)
        for form in ("JPEG", "PNG", "WEBP", "TIFF"):
            data = photos.encoded(image, form, exif=photos.exif(orientation=orientation))
            prepared = await parser.prepare_image(_written(tmp_path, data), "photo", 1024)
            found = _corners(prepared)
            assert _like(found, photos.RED, photos.GREEN, photos.BLUE, photos.WHITE), (form, orientation)


async def test_heic_is_turned_as_it_says(parser: Parser, tmp_path: Path) -> None:
    red, green, blue, white = photos.RED, photos.GREEN, photos.BLUE, photos.WHITE
    for data, wanted in (
        (photos.heic(turned=1), (green, white, red, blue)),
        (photos.heic(turned=2), (white, blue, green, red)),
        (photos.heic(turned=3), (blue, red, white, green)),
        (photos.heic(mirrored=1), (green, red, white, blue)),
        (photos.heic(mirrored=0), (blue, white, red, green)),
        (photos.heic(noted=photos.exif(orientation=6)), (red, green, blue, white)),  # which holds for its pixels alone
    ):
        assert _like(_corners(await parser.prepare_image(_written(tmp_path, data), "photo.heic", 1024)), *wanted)


async def test_heic_of_tiles(parser: Parser, tmp_path: Path) -> None:
    prepared = await parser.prepare_image(_written(tmp_path, photos.heic(columns=3)), "photo.heic", 2000)
    assert (prepared.width, prepared.height) == (376, 128)
    image = np.asarray(Image.open(io.BytesIO(prepared.data)))
    assert _like([tuple(image[32, x].tolist()) for x in (32, 96, 160, 224)], *[photos.RED, photos.GREEN] * 2)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


WHOLE = photos.heic(columns=2)
ALPHA = box(b"auxC", bytes(4) + b"urn:mpeg:hevc:2015:auxid:1\0")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (WHOLE.replace(b"grid\0", b"iden\0"), "iden"),
        (WHOLE.replace(b"grid\0", b"iovl\0"), "iovl"),
        (WHOLE.replace(b"hvc1\0", b"unci\0"), "unci"),
        (WHOLE.replace(b"hvc1\0", b"mski\0"), "mski"),
        (photos.heic(more=[ALPHA]), "alpha"),
        (WHOLE + box(b"moov", bytes(8)), "moov"),
        (box(b"moov", bytes(8)).join((WHOLE[:24], WHOLE[24:])), "moov"),
        (WHOLE + WHOLE[24:], None),
        (WHOLE.replace(b"meta", b"atem"), None),
        (WHOLE.replace(b"infe\2", b"infe\1"), "infe"),
        (WHOLE[:24] + struct.pack(">I", 4) + WHOLE[28:], None),
    ],
)
async def test_heic_that_is_more_than_a_photo(parser: Parser, tmp_path: Path, data: bytes, kind: str | None) -> None:
    wanted = rf"photo\.heic holds more than a photo \({kind}\)" if kind else r"photo\.heic is damaged"
    with pytest.raises(UnreadableFile, match=wanted):
        await parser.prepare_image(_written(tmp_path, data), "photo.heic", 1024)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.avif", "photo.tiff", "photo.heic"])
async def test_what_gives_people_away_stays_here(parser: Parser, tmp_path: Path, name: str) -> None:
    noted = photos.exif(place=(48.8584, 2.2945), serial="SN-4711-0815", owner="Ada Example")
    data = photos.every(noted)[name]
    assert b"SN-4711-0815" in data
    prepared = await parser.prepare_image(_written(tmp_path, data), name, 1024)
    assert prepared.shed == ("place", "serial", "name")
    for secret in (b"SN-4711-0815", b"Ada Example", b"Exif", b"X-T5", b"2024:05"):
        assert secret not in prepared.data
    assert not Image.open(io.BytesIO(prepared.data)).getexif()


async def test_nothing_to_leave_out(parser: Parser, tmp_path: Path) -> None:
    prepared = await parser.prepare_image(
        _written(tmp_path, photos.every(photos.exif())["photo.jpg"]), "photo.jpg", 1024
    )
    assert prepared.shed == ()


async def test_a_drawing_opens_nothing_else(parser: Parser, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(photos.encoded(Image.new("RGB", (9, 9), (1, 2, 3)), "PNG"))
    asked = [str(secret), secret.as_uri(), "http://127.0.0.1:9/a.png", "secret.png"]
    more = "".join(
        f'<image {attribute}="{each}" width="2" height="2"/>' for each in asked for attribute in ("href", "xlink:href")
    )
    prepared = await parser.prepare_image(_written(tmp_path, photos.SVG.format(more=more).encode()), "drawing.svg", 512)
    assert _like(_corners(prepared), photos.RED, photos.GREEN, photos.BLUE, photos.WHITE)


async def test_a_drawing_with_an_entity_of_a_file(parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("SECRET")
    data = photos.SVG.format(more="<text>&secret;</text>")
    data = f'<!DOCTYPE svg [<!ENTITY secret SYSTEM "{path.as_uri()}">]>' + data
    with pytest.raises(UnreadableFile, match=r"drawing\.svg cannot be drawn"):
        await parser.prepare_image(_written(tmp_path, data.encode()), "drawing.svg", 512)


async def test_too_many_pixels(parser: Parser, tmp_path: Path) -> None:
    cases = dict(photos.malformed(10))
    with pytest.raises(TooLarge, match=r"bomb\.png has 3,600 million pixels and the limit is 120; make it smaller"):
        await parser.prepare_image(_written(tmp_path, cases["bomb.png"]), "bomb.png", 1024)
    with pytest.raises(TooLarge, match=r"huge\.heic has 8,100 million pixels"):
        await parser.prepare_image(_written(tmp_path, cases["huge.heic"]), "huge.heic", 1024)


async def test_what_is_no_picture_is_none(parser: Parser, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt is not an image\."):
        await parser.prepare_image(_written(tmp_path, b"all is well"), "a.txt", 1024)


async def test_a_hundred_malformed_pictures(tmp_path: Path) -> None:
    """Each is shown or refused with a sentence, and the next one is shown as ever."""
    parser = Parser(Limits(seconds=5, memory_mb=1500))
    refused: list[tuple[str, str]] = []
    began = time.monotonic()
    try:
        for name, data in photos.malformed():
            try:
                prepared = await parser.prepare_image(_written(tmp_path, data), name, 512)
                assert max(prepared.width, prepared.height) <= 512
            except UserError as error:
                refused.append((name, error.message))
        sound = await parser.prepare_image(_written(tmp_path, photos.every()["photo.jpg"]), "photo.jpg", 512)
        assert _like(_corners(sound), photos.RED, photos.GREEN, photos.BLUE, photos.WHITE)
    finally:
        await parser.close()
    assert len(refused) > 30
    for name, message in refused:
        assert name in message
        assert message.endswith(".")
    assert time.monotonic() - began < 60


async def described(parser: Parser, folder: Path, data: bytes, name: str) -> Told:
    told = await read(parser, _written(folder, data), name)
    assert told.remarks == []
    assert told.opened.pages == len(told.pages)
    assert [page.label for page in told.pages][:2] == [None, DESCRIPTION]
    assert told.pages[0].width is not None
    return told


async def test_what_can_be_told_of_a_photo(parser: Parser, tmp_path: Path) -> None:
    noted = photos.exif(place=(-33.8568, 151.2153), serial="SN-4711-0815", owner="Ada Example")
    told = await described(parser, tmp_path, photos.every(noted)["photo.heic"], "photo.heic")
    assert told.pages[1].text == (
        "This is a picture of 128 × 128 pixels (HEIC).\n"
        "Its file says that it was taken on 17 May 2024 at 14:03 with a camera that calls itself Fuji X-T5.\n"
        "What it shows isn't known; the name of the file is no evidence of it.\n"
        "Its main colors are blue (25%), green (25%) and red (25%).\n"
        "No text was found in it."
    )
    assert told.pages[2].label == PLACE
    assert told.pages[2].text == "The file says that the picture was taken at 33.85680° S, 151.21530° E."
    assert "Ada" not in told.text
    assert "SN-4711" not in told.text


async def test_codes_are_read(parser: Parser, tmp_path: Path) -> None:
    for kind, says, form in (
        ("QR code", "https://example.org/menu?table=7", "QRCode"),
        ("bar code", "4006381333931", "EAN13"),
        ("Data Matrix code", "LOT 42", "DataMatrix"),
    ):
        image = Image.new("RGB", (700, 500), "white")
        code = Image.fromarray(
            np.asarray(zxing.create_barcode(says, getattr(zxing.BarcodeFormat, form)).to_image(scale=5))
        )
        image.paste(code.convert("RGB").rotate(90 if form == "QRCode" else 0, expand=True), (60, 60))
        told = await described(parser, tmp_path, photos.encoded(image, "PNG"), "code.png")
        assert f"A {kind} in it says: {says}" in told.pages[1].text


async def test_text_keeps_its_place(parser: Parser, tmp_path: Path) -> None:
    rows = ["Bakery Rossi", "Bread            4.20", "Butter           2.35", "Total            6.55"]
    told = await described(parser, tmp_path, photos.encoded(files.picture_of_text(rows), "PNG"), "receipt.png")
    assert told.pages[0].text.split("\n") == ["Bakery Rossi", "Bread | 4.20", "Butter | 2.35", "Total | 6.55"]
    assert "It has 4 lines of text." in told.pages[1].text


@pytest.mark.parametrize("change", list(drawings.CHANGES))
async def test_rows_of_receipts_and_screens_are_kept(parser: Parser, tmp_path: Path, change: str) -> None:
    for name in ("reçu", "Rechnungen"):
        sheet = drawings.SHEETS[name]
        image = drawings.CHANGES[change](drawings.draw_sheet(sheet))
        told = await described(parser, tmp_path, photos.encoded(image, "PNG"), "IMG_1.png")
        assert drawings.rows_kept(told.pages[0].text, sheet) >= len(sheet.rows) - 1, told.pages[0].text


async def test_values_of_a_chart_stand_beside_their_labels(parser: Parser, tmp_path: Path) -> None:
    columns = {"Januar": 210, "Februar": 175, "März": 143, "April": 188, "Mai": 200}
    image = drawings.draw_chart("Besucher 2023", columns)
    told = await described(parser, tmp_path, photos.encoded(image, "PNG"), "chart.png")
    rows = told.pages[0].text.split("\n")
    assert [row for row in rows if "|" in row] == [f"{label} | {value}" for label, value in columns.items()]


async def test_prose_in_a_photo_stays_whole(parser: Parser, tmp_path: Path) -> None:
    lines = (
        "The canal was dug in four years by men who had never seen a lock",
        "before, and it carried coal until the railway came. Nobody in the",
        "village believed that boats could climb a hill.",
    )
    told = await described(parser, tmp_path, photos.encoded(drawings.draw_prose(lines), "PNG"), "page.png")
    assert told.pages[0].text == " ".join(lines)


async def test_pages_of_a_tiff_are_pages(parser: Parser, tmp_path: Path) -> None:
    first, second = (files.picture_of_text([f"Page number {number} here"]) for number in (1, 2))
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=[second])
    told = await read(parser, _written(tmp_path, out.getvalue()), "scan.tiff")
    assert [page.label for page in told.pages] == [None, None]
