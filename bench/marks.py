"""What marks survive, whether they are found where there are none, and what they cost: on photos that packages ship.

The photos come from the wheels of scikit-image and scikit-learn (`pip download`, nothing of them is installed), or from
folders that are named. Every photo is brought to `SIDE` pixels, marked, changed as people change pictures, and looked
at; then crops and variations of photos without marks are looked at.
"""

from __future__ import annotations

import asyncio
import io
import math
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import Goals, median, options, run, table
from numpy.typing import NDArray
from PIL import Image

from eclair.provenance import image_files, watermark
from eclair.provenance.c2pa import sign
from eclair.provenance.certificates import Certificates
from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.settings import Settings

Pixels = NDArray[np.uint8]

WHEELS = ("scikit-image", "scikit-learn")
SKIPPED = ("chessboard", "phantom", "horse", "text", "color", "microaneurysms", "multipage", "clock")
"""Drawings, diagrams and what is tiny: these are no photos."""
SIDE = 1024
UNMARKED = 1000
MADE = Origin("created", "a model")
SURVIVE = 0.98
ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Photo:
    name: str
    pixels: Pixels


def fetch(folder: Path) -> list[Path]:
    """The pictures in the wheels."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *WHEELS]
    subprocess.run(command, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if "/tests/" not in name]
            archive.extractall(folder, [name for name in names if name.endswith((".png", ".jpg"))])
    return sorted(folder.rglob("*.png")) + sorted(folder.rglob("*.jpg"))


def photos(paths: Sequence[Path]) -> list[Photo]:
    found: list[Photo] = []
    for path in paths:
        with Image.open(path) as image:
            if min(image.size) >= 190 and not path.name.startswith(SKIPPED):
                found.append(Photo(path.stem, np.asarray(image.convert("RGB"))))
    return found


def sized(pixels: Pixels, factor: float, how: Image.Resampling = Image.Resampling.BICUBIC) -> Pixels:
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor)), how))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    with Image.open(out) as image:
        return np.asarray(image.convert("RGB"))


def crop(pixels: Pixels, share: float, draw: np.random.Generator) -> Pixels:
    """That share of the area, from anywhere."""
    height, width = (round(int(side) * math.sqrt(share)) for side in pixels.shape[:2])
    down = int(draw.integers(len(pixels) - height + 1))
    across = int(draw.integers(len(pixels[0]) - width + 1))
    return pixels[down : down + height, across : across + width]


Change = Callable[[Pixels, np.random.Generator], Pixels]
CHANGES: dict[str, tuple[bool, Change]] = {
    "nothing": (True, lambda p, _: p),
    "JPEG 80": (True, lambda p, _: jpeg(p, 80)),
    "JPEG 50": (True, lambda p, _: jpeg(p, 50)),
    "JPEG 30": (False, lambda p, _: jpeg(p, 30)),
    "size × 0.5": (True, lambda p, _: sized(p, 0.5)),
    "size × 0.7": (True, lambda p, _: sized(p, 0.7)),
    "size × 2": (True, lambda p, _: sized(p, 2)),
    "25 % of the area cut off": (True, lambda p, d: crop(p, 0.75, d)),
    "25 % of the area left": (True, lambda p, d: crop(p, 0.25, d)),
    "cut to 75 %, JPEG 50": (True, lambda p, d: jpeg(crop(p, 0.75, d), 50)),
    "size × 0.5, JPEG 50": (True, lambda p, _: jpeg(sized(p, 0.5), 50)),
    "cut to 75 %, size × 0.7, JPEG 50": (True, lambda p, d: jpeg(sized(crop(p, 0.75, d), 0.7), 50)),
    "mirrored, turned": (False, lambda p, _: np.rot90(p[:, ::-1])),
}
"""What people do, and whether it is a goal to survive it."""


def chance(pixels: Pixels) -> float:
    """As the product looks at a file."""
    return watermark.chance_of_finding(image_files.gray(Image.fromarray(np.ascontiguousarray(pixels))))


def psnr(one: Pixels, other: Pixels) -> float:
    return 10 * math.log10(255**2 / max(1e-9, float(((one.astype(float) - other) ** 2).mean())))


def survival(all_photos: Sequence[Photo], goals: Goals) -> None:
    draw = np.random.default_rng(1)
    rows: list[tuple[str, ...]] = []
    quality = {side: list[float]() for side in (512, SIDE)}
    found = {(name, side): 0 for name in CHANGES for side in quality}
    for photo in all_photos:
        for side in quality:
            plain = sized(photo.pixels, side / max(photo.pixels.shape), Image.Resampling.LANCZOS)
            marked = watermark.embed(plain)
            quality[side].append(psnr(plain, marked))
            for name, (_, change) in CHANGES.items():
                found[name, side] += chance(change(marked, draw)) <= watermark.MAX_CHANCE
    for name in CHANGES:
        rows.append((name, *(f"{found[name, side] / len(all_photos):.0%}" for side in quality)))
    table(["change", *(f"{side} pixels" for side in quality)], rows)
    for side, values in quality.items():
        print(f"{side} pixels: PSNR {min(values):.1f} to {max(values):.1f} dB, median {median(values):.1f}")
    worst = min(found[name, SIDE] for name, (wanted, _) in CHANGES.items() if wanted)
    goals.at_least(f"watermarks that survive the hardest change at {SIDE} pixels", worst / len(all_photos), SURVIVE)


def variations(all_photos: Sequence[Photo], count: int) -> Iterator[Pixels]:
    """Parts of photos, turned, mirrored, stretched, brightened and compressed."""
    draw = np.random.default_rng(2)
    for number in range(count):
        pixels = all_photos[number % len(all_photos)].pixels
        pixels = crop(pixels, draw.uniform(0.2, 1), draw)
        pixels = sized(pixels, draw.uniform(300, 1400) / max(pixels.shape))
        pixels = np.rot90(pixels, int(draw.integers(4)))[:, :: int(draw.integers(2)) * 2 - 1]
        pixels = np.clip(pixels * draw.uniform(0.7, 1.2) + draw.uniform(-20, 30), 0, 255).astype(np.uint8)
        yield jpeg(pixels, int(draw.integers(40, 96))) if draw.random() < 0.7 else pixels


def alarms(all_photos: Sequence[Photo], count: int, goals: Goals) -> None:
    chances = sorted(chance(pixels) for pixels in variations(all_photos, count))
    print(f"\n{count} without marks: the likeliest look is chance at {chances[0]:.2g}, the next at {chances[1]:.2g}")
    wrong = sum(each <= watermark.MAX_CHANCE for each in chances)
    goals.at_most(f"of {count} pictures without marks taken for marked", wrong, count / 1000)


async def signatures(all_photos: Sequence[Photo], goals: Goals) -> None:
    """Through the product's own door, in every form."""
    valid = broken = total = 0
    with tempfile.TemporaryDirectory() as folder:
        marks = Provenance.configured(Settings(data_dir=Path(folder)))
        for photo in all_photos[:6]:
            for form in image_files.MARKABLE_FORMATS:
                out = io.BytesIO()
                Image.fromarray(photo.pixels).save(out, form)
                marked = bytearray(await marks.mark(out.getvalue(), MADE))
                path = Path(folder) / "picture"
                path.write_bytes(marked)
                found = await marks.check(path, photo.name)
                valid += (found.credentials.state, found.credentials.trust) == ("found", "own")
                marked[len(marked) // 2] ^= 1
                path.write_bytes(marked)
                broken += (await marks.check(path, photo.name)).altered
                total += 1
    goals.at_least(f"of {total} marked files, those that are valid and known as ours", valid / total, 1)
    goals.at_least("the same with one bit turned over in the middle, those that show it", broken / total, 1)


async def cost(all_photos: Sequence[Photo], goals: Goals) -> None:
    """Of one picture of `SIDE` pixels: writing it, the watermark, the signature, and all of it through the door."""
    photo = all_photos[0]
    pixels = sized(photo.pixels, SIDE / max(photo.pixels.shape))
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        marks, certificate = Provenance.configured(settings, stay=True), Certificates.configured(settings).signing()
        for form, how in (("PNG", {"compress_level": 4}), ("JPEG", {"quality": 95, "subsampling": 0})):
            took: dict[str, list[float]] = {name: [] for name in ("written", "watermark", "note, signed", "door")}
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, form, **how)
            for _ in range(ROUNDS):
                _timed(took["written"], lambda form=form, how=how: _save(pixels, form, how))
                _timed(took["watermark"], lambda: watermark.embed(pixels))
                data = out.getvalue()
                _timed(took["note, signed"], lambda form=form, data=data: sign(data, _media(form), MADE, certificate))
                began = time.perf_counter()
                await marks.mark(out.getvalue(), MADE)
                took["door"].append(time.perf_counter() - began)
            plain, marked, signed, door = (median(each) for each in took.values())
            ratios = (f"{marked / plain:.2f}", f"{signed / plain:.2f}", f"{door / plain:.1f}")
            rows.append((form, f"{plain * 1000:.0f} ms", *ratios, f"{door:.2f} s"))
            goals.at_most(f"all marks on a {form} of {SIDE} pixels, through the door", door, 2, " s")
            goals.at_most("beyond the watermark and writing the plain picture", door - marked - plain, 0.4, " s")
        await marks.close()
    table(["form", "written plain", "watermark", "signature", "through the door", ""], rows)
    print("Ratios are to writing the plain picture in the same run; the door forks a process for each.")


def _save(pixels: Pixels, form: str, options: dict[str, Any]) -> None:
    Image.fromarray(pixels).save(io.BytesIO(), form, **options)


def _media(form: str) -> str:
    return f"image/{form.lower()}"


def _timed(into: list[float], work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    into.append(time.perf_counter() - began)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="where photos are")
    parser.add_argument("--unmarked", type=int, default=UNMARKED, metavar="N", help="pictures without marks to look at")
    arguments = parser.parse_args()
    goals = Goals()
    with tempfile.TemporaryDirectory() as folder:
        paths = [path for each in arguments.folders for path in sorted(each.rglob("*.*"))] or fetch(Path(folder))
        found = photos(paths)
    print(f"{len(found)} photos: {', '.join(photo.name for photo in found)}\n")
    if arguments.quick:
        found = found[:3]
    await asyncio.to_thread(survival, found, goals)
    await asyncio.to_thread(alarms, found, 30 if arguments.quick else arguments.unmarked, goals)
    await signatures(found, goals)
    await cost(found, goals)
    goals.print()


if __name__ == "__main__":
    run(main())
