"""Asks a classifier what the pictures show: is the thing that was wished for among its first five, and first?

    eclair pull
    python train/probe.py

The classifier is a linear one over EfficientNet-lite2, which `eclair pull` brings; it learns each thing from renderings
that the flow has never seen: turned, moved, smaller or larger, coarse, blurred, noisy, paler or darker. How often it
is right on further such renderings says how far it can be trusted. Then it judges 300 pictures, 100 prompts in each of
three languages, of things drawn by lot, as Éclair draws them.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from data import LANGUAGES, WORK
from grid import drawn, sheet
from PIL import Image, ImageEnhance, ImageFilter

NETWORK = Path.home() / ".local/share/eclair/models/efficientnet-lite2.onnx"
SIDE = 260
RENDERINGS = 5
HELD = 300


def session(path: Path) -> Any:
    """The network as far as what its last layer looks at."""
    model = onnx.load(path)
    last = next(node for node in model.graph.node if node.op_type == "Gemm")
    model.graph.output.append(onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model.SerializeToString(), options), last.input[0]


def features(network: tuple[Any, str], image: Image.Image) -> Any:
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    picture = ((pixels - 127) / 128).transpose(2, 0, 1)[None]
    return network[0].run([network[1]], {"picture": np.ascontiguousarray(picture)})[0][0]


def rendering(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture as the flow has never seen it."""
    ground = tuple(rng.choice([(255, 255, 255)] * 3 + [(rng.randrange(200, 256),) * 3]))
    scale, side = rng.uniform(0.75, 1.1), image.width
    turned = image.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    small = turned.resize((round(side * scale),) * 2, Image.Resampling.BICUBIC)
    found = Image.new("RGB", (side, side), ground)
    space = side - small.width
    at = tuple(space // 2 + rng.randint(-6, 6) for _ in "xy")
    found.paste(small, at)
    if rng.random() < 0.6:
        coarse = rng.randrange(28, 96)
        found = found.resize((coarse, coarse), Image.Resampling.BOX).resize((side, side), Image.Resampling.BICUBIC)
    found = found.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.3)))
    if rng.random() < 0.5:
        found = _spoiled(found, rng)
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        found = enhancer(found).enhance(rng.uniform(0.8, 1.2))
    return found


def _spoiled(image: Image.Image, rng: random.Random) -> Image.Image:
    """With noise, and as a JPEG of low quality."""
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(0, 12), (image.height, image.width, 3))
    noisy = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    noisy.save(file, "JPEG", quality=rng.randrange(20, 80))
    return Image.open(file).convert("RGB")


def learn(x: Any, y: Any, classes: int) -> Any:
    """Weights and bias of a linear classifier."""
    inputs, wanted = torch.from_numpy(x), torch.from_numpy(y)
    layer = torch.nn.Linear(x.shape[1], classes)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=1e-2)
    for _ in range(25):
        for some in torch.randperm(len(inputs)).split(256):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(layer(inputs[some]), wanted[some], label_smoothing=0.1).backward()
            optimiser.step()
    return layer


def ranks(layer: Any, x: Any, y: Any) -> Any:
    """In which place, from 0, the right thing comes."""
    with torch.no_grad():
        scores = layer(torch.from_numpy(x)).numpy()
    return (scores > scores[np.arange(len(y)), y][:, None]).sum(1)


def classifier(network: tuple[Any, str], originals: Any) -> tuple[Any, Any, Any]:
    """The layer, and the mean and spread of what it is given; kept in `train/made/probe.pt`."""
    path = WORK / "probe.pt"
    if not path.exists():
        rng = random.Random(6)
        seen = [
            features(network, rendering(Image.fromarray(each), rng)) for each in originals for _ in range(RENDERINGS)
        ]
        x, y = np.stack(seen), np.repeat(np.arange(len(originals)), RENDERINGS)
        mean, spread = x.mean(0), x.std(0) + 1e-3
        layer = learn((x - mean) / spread, y, len(originals))
        torch.save(
            {"layer": layer.state_dict(), "mean": torch.from_numpy(mean), "spread": torch.from_numpy(spread)}, path
        )
    kept = torch.load(path, weights_only=True)
    layer = torch.nn.Linear(kept["layer"]["weight"].shape[1], len(originals))
    layer.load_state_dict(kept["layer"])
    return layer, kept["mean"].numpy(), kept["spread"].numpy()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", type=Path, default=NETWORK)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--guidance", type=float, default=1.6)
    parser.add_argument("--sheet", type=Path, help="where to write the pictures that were judged")
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    rng = random.Random(5)
    known = json.loads((WORK / "concepts.json").read_text())
    things: list[dict[str, Any]] = known["concepts"]
    plain = [at for at, (_, colour) in enumerate(known["whose"]) if colour == ""]
    originals = np.load(WORK / "pictures.npy", mmap_mode="r")[plain]
    network = session(options.network)
    layer, mean, spread = classifier(network, originals)
    held = rng.sample(range(len(things)), HELD)
    x = np.stack([features(network, rendering(Image.fromarray(originals[at]), rng)) for at in held])
    places = ranks(layer, (x - mean) / spread, np.array(held))
    print(f"renderings: first {np.mean(places == 0):.1%}, in five {np.mean(places < 5):.1%}")

    rng = random.Random(11)
    asked = [(LANGUAGES[at % 3], rng.randrange(len(things))) for at in range(options.prompts)]
    prompts = [things[at]["labels"][language] for language, at in asked]
    images = [drawn(prompt, at, options.steps, options.guidance) for at, prompt in enumerate(prompts)]
    x = np.stack([features(network, Image.fromarray(each)) for each in images])
    places = ranks(layer, (x - mean) / spread, np.array([at for _, at in asked]))
    first, five = np.mean(places == 0), np.mean(places < 5)
    print(f"{len(prompts)} prompts: first {first:.1%}, in five {five:.1%}")
    groups: dict[str, list[bool]] = defaultdict(list)
    for (language, at), place in zip(asked, places, strict=True):
        groups[language].append(place < 5)
        groups[f"group {things[at]['group']}"].append(place < 5)
    print("; ".join(f"{name} {np.mean(right):.0%} of {len(right)}" for name, right in sorted(groups.items())))
    if options.sheet:
        names = [f"{'+' if place < 5 else '-'} {prompt}" for prompt, place in zip(prompts, places, strict=True)]
        sheet(images[:100], names[:100]).save(options.sheet)


if __name__ == "__main__":
    main()
