"""Clip art as one sheet to look at, what of natural prompts is drawn or refused, and how long one takes.

`prompts.toml` beside the tests has the prompts. `--sheet FILE` writes those that are drawn in a grid as PNG; `--prompt`
shows another one, and `--seed` another ground.
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

from eclair.errors import InvalidInput
from eclair.images.backends.clipart.backend import MODEL, ClipArtBackend
from eclair.images.job import ImageJob
from eclair.schema.images import UnmarkedImage
from eclair.schema.principal import Principal

PROMPTS = ROOT / "tests" / "images" / "clipart" / "prompts.toml"
COLUMNS, TILE_PIXELS, CAPTION_PIXELS = 5, 300, 34


async def drawn(backend: ClipArtBackend, prompt: str, side: int, seed: int) -> tuple[UnmarkedImage, float]:
    """The drawing, and the seconds that it took. Raises InvalidInput where it is refused."""
    started = time.perf_counter()
    job = ImageJob(MODEL, Principal("bench"), prompt, side, side, seed)
    done = [each async for each in backend.generate(job)]
    took = time.perf_counter() - started
    last = done[-1]
    assert isinstance(last, UnmarkedImage)
    return last, took


def sheet_of(drawings: list[tuple[str, UnmarkedImage]]) -> Image.Image:
    """All drawings with their prompts and captions."""
    height = TILE_PIXELS + CAPTION_PIXELS
    sheet = Image.new("RGB", (COLUMNS * TILE_PIXELS, -(-len(drawings) // COLUMNS) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (prompt, drawing) in enumerate(drawings):
        x, y = number % COLUMNS * TILE_PIXELS, number // COLUMNS * height
        with Image.open(io.BytesIO(drawing.image)) as image:
            tile = image.convert("RGB").resize((TILE_PIXELS - 6, TILE_PIXELS - 6), Image.Resampling.LANCZOS)
        sheet.paste(tile, (x, y))
        for line, text in enumerate((prompt, drawing.revised_prompt or "")):
            pen.text((x + 2, y + TILE_PIXELS - 5 + 15 * line), text[:52], fill="black")
    return sheet


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--prompt", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    table = tomllib.loads(PROMPTS.read_text("utf-8"))
    prompts: list[str] = options.prompt or [*table["drawn"], *table["refused"]]
    backend, drawings, times = ClipArtBackend(), list[tuple[str, UnmarkedImage]](), list[float]()
    for prompt in prompts:
        try:
            drawing, took = await drawn(backend, prompt, options.side, options.seed)
        except InvalidInput as error:
            print(f"refused  {prompt}: {error.message}")
            continue
        print(f"drawn    {prompt}: {drawing.revised_prompt}")
        drawings.append((prompt, drawing))
        times.append(took)
    await backend.close()
    if options.sheet is not None:
        sheet_of(drawings).save(options.sheet)
    print(f"{len(drawings)} of {len(prompts)} prompts drawn")
    if times:
        print(f"{options.side} pixels: {median(times):.2f} s (median), {max(times):.2f} s (most)")


if __name__ == "__main__":
    asyncio.run(main())
