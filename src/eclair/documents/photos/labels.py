"""Names what is in a photo, by EfficientNet-lite2, where it is sure. It names things and animals, never people."""

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

SIDE = 260
SURE = 0.5
"""Share of what the network says from which on a thing is named. Its makers taught it to doubt: what it is right about
has 0.6 to 0.9, and at 0.25 the moon is a worm."""
MOST = 2
THREADS = 2

TONES = 200
"""Different tones that a small copy of a photo has at least; drawings and screens, of which the network knows nothing,
have fewer."""


def things(image: Image.Image, network: Path) -> list[str]:
    """What the photo shows as a whole, the surest first; nothing for a drawing."""
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(small)
    if _tones(pixels) < TONES:
        return []
    session, names = _session(network), _names()
    picture = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    shares: NDArray[np.float32] = session.run(None, {"picture": np.ascontiguousarray(picture)})[0][0]
    sums = Counter[str]()
    for name, share in zip(names, shares.tolist(), strict=True):
        sums[name] += share
    return [name for name, share in sums.most_common(MOST + 1) if name and share >= SURE][:MOST]


def _tones(pixels: NDArray[np.uint8]) -> int:
    coarse = pixels[::2, ::2].reshape(-1, 3).astype(np.int32) >> 2
    return len(np.unique(coarse[:, 0] << 12 | coarse[:, 1] << 6 | coarse[:, 2]))


@cache
def _session(network: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


@cache
def _names() -> tuple[str, ...]:
    """Of each of the network's things; kinds that it cannot tell apart surely share one, people have none."""
    text = resources.files("eclair.documents.photos.classifier").joinpath("names.txt").read_text("utf-8")
    return tuple(text.removesuffix("\n").split("\n"))
