"""Drawings as one sheet to look at, what of natural prompts is found in them, and how long one takes.

`prompts.toml` beside the tests has the prompts, with the pictures that each must show. `--sheet FILE` writes them in a
grid as PNG; `--prompt` shows another one, and `--seed` another composition.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import time
import tomllib
from pathlib import Path

from harness import ROOT, median
from PIL import Image, ImageDraw

from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.drawer import Drawer
from eclair.images.backends.clipart.reading import read
from eclair.schema.images import Drawn, Job
from eclair.schema.principal import Principal

PROMPTS = ROOT / "tests" / "pictures" / "drawing" / "prompts.toml"
ACROSS, SIDE, CAPTION = 6, 300, 18


async def drawn(drawer: Drawer, prompt: str, side: int, seed: int) -> tuple[Drawn, float]:
    """The drawing, and the seconds that it took."""
    model = (await drawer.models())[0]
    started = time.perf_counter()
    done = [each async for each in drawer.draw(model, Job(prompt, side, side, seed), Principal("bench"), None)]
    took = time.perf_counter() - started
    last = done[-1]
    assert isinstance(last, Drawn)
    return last, took


def found(prompt: str, wanted: list[str]) -> tuple[int, list[str]]:
    """How many of the pictures are in the scene, and which are not."""
    icons = {thing.icon for thing in read(prompt).things}
    missing = [sign for sign in wanted if book().number(sign) not in icons]
    return len(wanted) - len(missing), missing


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--prompt", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    table: dict[str, str] = tomllib.loads(PROMPTS.read_text("utf-8"))["prompts"]
    prompts = options.prompt or list(table)
    drawer, times = Drawer(), list[float]()
    rows = -(-len(prompts) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * SIDE, rows * (SIDE + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, prompt in enumerate(prompts):
        picture, took = await drawn(drawer, prompt, options.side, options.seed)
        times.append(took)
        x, y = number % ACROSS * SIDE, number // ACROSS * (SIDE + CAPTION)
        with Image.open(io.BytesIO(picture.image)) as image:
            sheet.paste(image.convert("RGB").resize((SIDE - 6, SIDE - 6), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 2, y + SIDE - 4), prompt[:48], fill="black")
    if options.sheet is not None:
        sheet.save(options.sheet)
    if not options.prompt:
        counts = [(found(prompt, signs.split()), len(signs.split())) for prompt, signs in table.items()]
        hits, total = sum(hit for (hit, _), _ in counts), sum(wanted for _, wanted in counts)
        print(f"found {hits} of {total} things in {len(table)} prompts ({hits / total:.1%})")
        for prompt, ((_, missing), _) in zip(table, counts, strict=True):
            if missing:
                print(f"  {prompt}: without {' '.join(missing)}")
    print(f"{options.side} pixels: {median(times):.2f} s (median), {max(times):.2f} s (most), {len(times)} drawings")


if __name__ == "__main__":
    asyncio.run(main())
