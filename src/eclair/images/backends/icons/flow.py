"""The flow as onnxruntime runs it: one step at a time, from noise to a picture of 128 x 128 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime as _untyped  # pyright: ignore[reportMissingTypeStubs]
from numpy import float32
from numpy.typing import NDArray

from eclair.images.backends.icons.touching import touched_up
from eclair.images.backends.icons.words import MOST

onnxruntime: Any = _untyped

SIDE = 128
TOKENS = (1, 16, 256)
THREADS = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Vectors of the embedder: of the prompt (384,), and of its words (up to 4, 384)."""

    prompt: NDArray[float32]
    words: NDArray[float32]
    guidance: float


def there() -> bool:
    """Whether the weights came with this installation."""
    return files("eclair.images.backends.icons").joinpath("weights.onnx").is_file()


def noise(seed: int) -> NDArray[float32]:
    """What a picture begins as."""
    return np.random.default_rng(seed).standard_normal(TOKENS, float32)


def step(x: NDArray[float32], done: int, of: int, wanted: Wanted) -> tuple[NDArray[float32], NDArray[np.uint8]]:
    """Step number `done` (from 0) of `of`: what the picture is then, and what it looks like it will be."""
    words = np.zeros((MOST, wanted.prompt.shape[0]), float32)
    words[: len(wanted.words)] = wanted.words
    after, picture = _session().run(
        None,
        {
            "x": x,
            "time": np.array([done / of], float32),
            "after": np.array([(done + 1) / of], float32),
            "guidance": np.array([wanted.guidance], float32),
            "prompt": wanted.prompt[None],
            "words": words,
        },
    )
    return after, touched_up(picture)


@cache
def _session() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    weights = files("eclair.images.backends.icons").joinpath("weights.onnx").read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
