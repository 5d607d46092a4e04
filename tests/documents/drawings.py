"""Receipts, screens and charts whose words are known, as photos have them: turned, tilted, dark, blurred."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

FONT = "DejaVuSans.ttf"
FONT_SIZE = 26


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells. On a receipt the last stands at the right edge, on a screen each column has its place."""

    kind: Literal["receipt", "screen"]
    rows: tuple[tuple[str, ...], ...]


SHEETS = {
    "reçu": Sheet(
        "receipt",
        (
            ("Boulangerie Lefèvre",),
            ("4 place du Marché, 14000 Caen",),
            ("2", "Baguette tradition", "2,60"),
            ("1", "Pain de seigle", "3,85"),
            ("4", "Croissant au beurre", "5,20"),
            ("TOTAL EUR", "11,65"),
            ("Espèces", "20,00"),
            ("Rendu", "8,35"),
            ("Merci et à bientôt",),
        ),
    ),
    "Rechnungen": Sheet(
        "screen",
        (
            ("Offene Rechnungen",),
            ("Kunde", "Nummer", "Fällig", "Betrag"),
            ("Bauer GmbH", "R-1041", "03.05.2024", "1.240,00 €"),
            ("Schulz & Sohn", "R-1044", "17.05.2024", "86,50 €"),
            ("Praxis Dr. Lang", "R-1052", "01.06.2024", "412,80 €"),
        ),
    ),
}


def draw_sheet(sheet: Sheet) -> Image.Image:
    font = ImageFont.truetype(FONT, FONT_SIZE)
    wide, step = (560, 38) if sheet.kind == "receipt" else (1100, 56)
    image = Image.new("RGB", (wide, 80 + step * len(sheet.rows)), "white")
    draw = ImageDraw.Draw(image)
    for number, row in enumerate(sheet.rows):
        y = 40 + step * number
        if sheet.kind == "screen":
            for column, cell in enumerate(row):
                draw.text((40 + column * (wide - 80) / len(row), y), cell, "black", font)
        elif len(row) == 1:
            draw.text((wide / 2, y), row[0], "black", font, anchor="ma")
        else:
            draw.text((wide - 30, y), row[-1], "black", font, anchor="ra")
            for column, cell in enumerate(row[:-1]):
                draw.text((30 + 44 * column, y), cell, "black", font)
    return image


def draw_prose(lines: Sequence[str]) -> Image.Image:
    image = Image.new("RGB", (1000, 80 + 34 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((40, 40 + 34 * number), line, "black", ImageFont.truetype(FONT, 24))
    return image


def draw_chart(title: str, columns: Mapping[str, int]) -> Image.Image:
    """Draw columns with their values above and labels below them, and an axis with its marks."""
    font = ImageFont.truetype(FONT, 24)
    image = Image.new("RGB", (900, 620), "white")
    draw = ImageDraw.Draw(image)
    draw.text((450, 20), title, "black", ImageFont.truetype(FONT, 32), anchor="ma")
    base, high, most = 540, 400, max(columns.values()) * 1.1
    for mark in range(0, int(most), 50):
        y = base - high * mark / most
        draw.text((110, y), str(mark), "black", font, anchor="rm")
        draw.line((115, y, 860, y), "#dddddd")
    wide = 740 / len(columns)
    for number, (label, value) in enumerate(columns.items()):
        x, y = 130 + wide * (number + 0.5), base - high * value / most
        draw.rectangle((x - wide * 0.3, y, x + wide * 0.3, base), "#4477aa")
        draw.text((x, y - 6), str(value), "black", font, anchor="mb")
        draw.text((x, base + 8), label, "black", font, anchor="ma")
    return image


def _seen_from_the_side(image: Image.Image) -> Image.Image:
    wide, high = image.size
    margin = wide // 12
    corners = ((0, 0), (wide, 0), (wide, high), (0, high))
    seen = ((margin, 0), (wide - margin // 2, margin // 2), (wide, high), (0, high - margin // 3))
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1.0, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1.0, -v * x, -v * y]]
    wanted = [float(side) for corner in corners for side in corner]
    turn = np.linalg.solve(np.array(rows, float), np.array(wanted)).tolist()
    how = Image.Transform.PERSPECTIVE
    return image.transform(image.size, how, turn, Image.Resampling.BICUBIC, fillcolor="white")


CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "upright": lambda image: image,
    "turned": lambda image: image.rotate(90, expand=True),
    "upside down": lambda image: image.rotate(180),
    "tilted": lambda image: image.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor="white"),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.35),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.6)),
    "from the side": _seen_from_the_side,
    "small": lambda image: image.resize((image.width * 6 // 10, image.height * 6 // 10)),
}


def rows_kept(text: str, sheet: Sheet) -> int:
    """Count the rows that stand on a line of their own, but for two letters that are read wrong."""
    lines = [_bare(line) for line in text.split("\n")]
    return sum(any(_are_alike(line, _bare("".join(row))) for line in lines) for row in sheet.rows)


def _bare(text: str) -> str:
    return re.sub(r"[\s|]+", "", text)


def _are_alike(one: str, other: str) -> bool:
    different = sum(a != b for a, b in zip(one, other, strict=False))
    return abs(len(one) - len(other)) <= 2 and different <= 2
