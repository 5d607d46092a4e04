"""Labels a photo's main subject with EfficientNet-lite2 if sure; never people."""

from __future__ import annotations

from collections import Counter
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
MAX_LABELS = 2
LABEL_THREADS = 2

MIN_TONES = 200
"""Distinct tones in a small copy of a photo. Drawings and screenshots, which the network doesn't know, have fewer."""


def label_photo(image: Image.Image, network: Path) -> list[str]:
    """Return labels for the photo as a whole, the surest first; none for a drawing."""
    small = image.resize((INPUT_SIDE_PX, INPUT_SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(small)
    if _tones(pixels) < MIN_TONES:
        return []
    session, names = _session(network), _names()
    picture = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    shares: NDArray[np.float32] = session.run(None, {"picture": np.ascontiguousarray(picture)})[0][0]
    sums = Counter[str]()
    for name, share in zip(names, shares.tolist(), strict=True):
        sums[name] += share
    return [name for name, share in sums.most_common(MAX_LABELS + 1) if name and share >= MIN_CONFIDENCE][:MAX_LABELS]


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
