"""Labels a photo's main subject with EfficientNet-lite2 if sure; never people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as _untyped  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from PIL import Image

onnxruntime: Any = _untyped

INPUT_SIDE_PX = 260
MIN_CONFIDENCE = 0.5
"""The network was trained to doubt: what it gets right has 0.6 to 0.9, and at 0.25 the moon is a worm."""
MIN_OTHER_CONFIDENCE = 0.3
"""A part of the photo that shows something else with this confidence makes it a scene of several things."""
PART_SHARE = 0.6
"""Sides of the parts that are looked at, the middle and both ends, as a share of the photo's."""
LABEL_THREADS = 2

MIN_TONES = 200
"""Distinct tones in a small copy of a photo. Drawings and screenshots, which the network doesn't know, have fewer."""


def label_photo(image: Image.Image, network: Path) -> str | None:
    """Return what the photo shows; None if that isn't certain, for a scene of several things, and for a drawing.

    Its parts must show the same: one thing that fills a photo is seen in each.
    """
    whole = _shrink(image)
    if _tones(whole) < MIN_TONES:
        return None
    seen = _classify(whole, network)
    label, share = max(seen.items(), key=lambda each: each[1])
    if not label or share < MIN_CONFIDENCE:
        return None
    shares = [share]
    for part in _parts(image):
        seen = _classify(_shrink(part), network)
        if any(other >= MIN_OTHER_CONFIDENCE for name, other in seen.items() if name != label):
            return None
        shares.append(seen[label])
    return label if sum(shares) / len(shares) >= MIN_CONFIDENCE else None


def _parts(image: Image.Image) -> Iterator[Image.Image]:
    """Yield the middle of a picture and its two ends, along the longer side."""
    wide, high = image.size
    across, down = round(wide * (1 - PART_SHARE)), round(high * (1 - PART_SHARE))
    yield image.crop((across // 2, down // 2, wide - across // 2, high - down // 2))
    if wide >= high:
        yield image.crop((0, 0, wide - across, high))
        yield image.crop((across, 0, wide, high))
    else:
        yield image.crop((0, 0, wide, high - down))
        yield image.crop((0, down, wide, high))


def _shrink(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize((INPUT_SIDE_PX, INPUT_SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _classify(pixels: NDArray[np.uint8], network: Path) -> dict[str, float]:
    """Return the share of each label; those without a name are "" together."""
    picture = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    shares: NDArray[np.float32] = _session(network).run(None, {"picture": np.ascontiguousarray(picture)})[0][0]
    sums = Counter[str]()
    for name, share in zip(_names(), shares.tolist(), strict=True):
        sums[name] += share
    return dict(sums)


def _tones(pixels: NDArray[np.uint8]) -> int:
    coarse = pixels[::2, ::2].reshape(-1, 3).astype(np.int32) >> 2
    return len(np.unique(coarse[:, 0] << 12 | coarse[:, 1] << 6 | coarse[:, 2]))


@cache
def _session(network: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = LABEL_THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


@cache
def _names() -> tuple[str, ...]:
    """Return the name of each label. Kinds that the network confuses share one; people have none."""
    text = resources.files("eclair.documents.photos.classifier").joinpath("names.txt").read_text("utf-8")
    return tuple(text.removesuffix("\n").split("\n"))
