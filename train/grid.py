"""Draws a grid of pictures from a checkpoint, each above its prompt.

    python train/grid.py grid.png [--prompt "blue apple" ...]

Without prompts it draws those below: things that it knows, things in colours that the training never showed them in,
and other words.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import WORK, embed
from model import PATCH, SIDE, TOKEN, TOKENS, VECTOR, WORDS, Finish, Flow, Sketch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from eclair.pictures.icons import flow as icons
from eclair.pictures.icons.touching import touched_up
from eclair.pictures.icons.words import subject, words

KNOWN = (
    "cat", "ein Hund", "un éléphant", "Apfel", "pizza", "voiture", "Haus", "bicycle", "red heart", "smiley",
    "Traktor", "guitare", "rocket", "Baum", "une fleur", "owl", "Schmetterling", "poisson", "camera", "Schlüssel",
)  # fmt: skip
NEW = (
    "blue butterfly", "rote Banane", "guitare bleue", "red tractor", "blaues Pferd", "fraise jaune", "black rose",
    "rosa Eule", "éléphant vert", "blue pizza", "lila Frosch", "maison jaune", "green car", "roter Fisch",
    "parapluie rose", "orange rocket", "clé violette", "red whale", "lila Drache", "pink dog",
)  # fmt: skip
FREE = (
    "puppy", "Weihnachten", "un roi", "birthday party", "spaceship", "Fahrrad im Regen", "gelber Schuh",
    "a happy face with sunglasses", "ein Arzt", "forêt",
)  # fmt: skip


def conditions(prompts: list[str]) -> tuple[Any, Any]:
    """Prompts as the flow takes them: (n, 384) and (n, 4, 384)."""
    kept = np.load(WORK / "norm.npz")
    prompts = [subject(prompt) for prompt in prompts]
    centres, spreads = kept["centres"], kept["spreads"]
    shown = [words(prompt) for prompt in prompts]
    found = embed([*prompts, *(word for some in shown for word in some)])
    single = iter((found[len(prompts) :] - centres[1]) / spreads[1])
    rows = [[next(single) for _ in some] + [np.zeros(VECTOR)] * (WORDS - len(some)) for some in shown]
    return ((found[: len(prompts)] - centres[0]) / spreads[0]).astype(np.float32), np.array(rows, np.float32)


@torch.no_grad()
def dream(
    flow: Flow, sketch: Sketch, prompts: Any, shown: Any, *, seed: int, steps: int = 16, guidance: float = 1.6
) -> Any:
    """Tokens of one picture for each prompt, by Euler's method."""
    whole, single = torch.from_numpy(prompts), torch.from_numpy(shown)
    n = len(whole)
    x = torch.randn(n, TOKENS, TOKEN, generator=torch.Generator().manual_seed(seed))
    with torch.autocast("cpu", torch.bfloat16):
        idea = sketch(whole, single).float()
    ideas = torch.cat((idea, torch.zeros_like(idea)))
    both, none = torch.cat((whole, torch.zeros_like(whole))), torch.cat((single, torch.zeros_like(single)))
    for step in range(steps):
        t, after = step / steps, (step + 1) / steps
        with torch.autocast("cpu", torch.bfloat16):
            found = flow(x.repeat(2, 1, 1), torch.full((2 * n,), t), both, none, ideas).float()
        seen = found[n:] + guidance * (found[:n] - found[n:])
        x = x + (seen - x) * ((after - t) / (1 - t))
    return x.numpy()


def pixels(tokens: Tensor) -> Tensor:
    """Tokens to bytes (n, 3, 128, 128), as the basis has them."""
    basis = np.load(WORK / "basis.npz")
    k = SIDE // PATCH
    flat = tokens.float() @ torch.from_numpy(basis["up"]) + torch.from_numpy(basis["mean"])
    cut = flat.reshape(-1, k, k, PATCH, PATCH, 3).permute(0, 5, 1, 3, 2, 4).reshape(-1, 3, SIDE, SIDE)
    return (cut.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)


@torch.no_grad()
def pictures(tokens: Any) -> Any:
    """Tokens to bytes (n, 128, 128, 3), as Éclair shows them."""
    found = pixels(torch.from_numpy(tokens)).float() / 127.5 - 1
    if (WORK / "finish.pt").exists():
        found = finish()(found)
    found = (found.clamp(-1, 1) * 127.5 + 127.5).permute(0, 2, 3, 1).contiguous().numpy()
    return np.stack([touched_up(each) for each in found])


def sheet(images: Any, names: list[str], across: int = 10) -> Image.Image:
    rows = -(-len(images) // across)
    whole = Image.new("RGB", (across * (SIDE + 8), rows * (SIDE + 24)), "white")
    draw, font = ImageDraw.Draw(whole), _font()
    for at, (image, name) in enumerate(zip(images, names, strict=True)):
        x, y = at % across * (SIDE + 8) + 4, at // across * (SIDE + 24) + 4
        whole.paste(Image.fromarray(image), (x, y))
        draw.text((x + 2, y + SIDE + 4), name[:24], fill="black", font=font)
    return whole


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", 11)
    except OSError:  # then without accents
        return ImageFont.load_default(11)


def load() -> tuple[Flow, Sketch, int]:
    state = torch.load(WORK / "flow.pt", weights_only=True)
    flow = Flow()
    flow.load_state_dict(state["ema"])
    sketch = Sketch()
    sketch.load_state_dict(torch.load(WORK / "sketch.pt", weights_only=True)["ema"])
    return flow.eval(), sketch.eval(), state["step"]


def finish() -> Finish:
    last = Finish()
    last.load_state_dict(torch.load(WORK / "finish.pt", weights_only=True)["finish"])
    return last.eval()


def drawn(prompt: str, seed: int, steps: int, guidance: float) -> Any:
    """The picture as Éclair draws it, with the weights that it comes with."""
    said = subject(prompt)
    vectors = embed([said, *words(said)])
    wanted = icons.Wanted(vectors[0], vectors[1:], guidance)
    x = icons.noise(seed)
    for done in range(steps):
        x, picture = icons.step(x, done, steps, wanted)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompt", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--guidance", type=float, default=1.6)
    parser.add_argument("--shipped", action="store_true", help="draw with the weights that Éclair comes with")
    options = parser.parse_args()
    torch.set_num_threads(2)
    prompts = options.prompt or [*KNOWN, *NEW, *FREE]
    if options.shipped:
        images = [drawn(prompt, options.seed, options.steps, options.guidance) for prompt in prompts]
        sheet(images, prompts).save(options.out)
        return
    flow, sketch, step = load()
    tokens = dream(
        flow, sketch, *conditions(prompts), seed=options.seed, steps=options.steps, guidance=options.guidance
    )
    sheet(pictures(tokens), prompts).save(options.out)
    print(f"{len(prompts)} pictures after {step} steps: {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
