"""Is the right passage found, within and across languages, and how fast: by words, by meaning, and by both together;
and is it seen where there is none.

XQuAD's paragraphs are chunks here, one document a language; each question has one right paragraph, the same in every
language. The vectors are of the embedder on this machine, and all of it goes through the store as in the product.
Latency is measured on made text: paragraphs of which every other word is drawn again, with vectors near theirs.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from harness import Goals, options, quantile, run, shown, table
from numpy import float32
from numpy.typing import NDArray

from eclair.documents.background_embedding import embedding_text
from eclair.documents.chunking import Chunker
from eclair.documents.document_relevance import may_answer, passage_cosines
from eclair.documents.document_search import DocumentSearch
from eclair.documents.embeddings import E5Embedder, Turn
from eclair.documents.passages import found_passage
from eclair.schema.documents import Chunk, Page
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.files import StoredFile
from eclair.storage.libraries import Library
from eclair.storage.open import open_storage
from eclair.web.web_relevance import RelevanceCheck

JSON = dict[str, Any]
LANGUAGES = ("en", "de", "es", "ro")
GOALS = {("en", "en"): (0.93, 0.99), ("de", "de"): (0.91, 0.99), ("en", "de"): (0.84, 0.97), ("de", "en"): (0.84, 0.97)}
PARTS = ("quality", "latency", "fitting")
SIZES = (1000, 10_000, 100_000)
LATENCY = ("chunks", "all of them, ms p50 / p95", "one file of 100", "first, ms", "memory, MB", "on disk, MB")
A_FILE = 100
"""Chunks of each made file."""
FOUND = 10
SHOWN = 4
"""Passages that a small model is shown."""
REFUSED = (
    "that it answers",
    "that one of all answers",
    "on another article",
    "on one that is left out",
    "of everyday, one article",
    "of everyday, all",
)
ALIKE, ACROSS, WEB = "in its language", "in another", "in its language, as on the web"
EVERYDAY = {
    "en": (
        "How do I cook rice?",
        "What is the capital of Mongolia?",
        "How often should I water a cactus?",
        "What does a train ticket to Lyon cost?",
        "How do I reset my password?",
        "When does the pharmacy close?",
        "What is the notice period in my lease?",
        "Who painted the Mona Lisa?",
        "How do I remove a coffee stain from a shirt?",
        "When is my next invoice due?",
        "How many calories does a banana have?",
        "Why does my car make a strange noise?",
    ),
    "de": (
        "Wie koche ich Reis?",
        "Was ist die Hauptstadt der Mongolei?",
        "Wie oft muss ich einen Kaktus gießen?",
        "Was kostet eine Fahrkarte nach Lyon?",
        "Wie setze ich mein Passwort zurück?",
        "Wann schließt die Apotheke?",
        "Wie lang ist die Kündigungsfrist in meinem Mietvertrag?",
        "Wer hat die Mona Lisa gemalt?",
        "Wie bekomme ich einen Kaffeefleck aus dem Hemd?",
        "Wann ist meine nächste Rechnung fällig?",
        "Wie viele Kalorien hat eine Banane?",
        "Warum macht mein Auto komische Geräusche?",
    ),
    "es": (
        "¿Cómo se cocina el arroz?",
        "¿Cuál es la capital de Mongolia?",
        "¿Cuánto cuesta un billete de tren a Lyon?",
        "¿Cómo restablezco mi contraseña?",
        "¿Cuándo cierra la farmacia?",
        "¿Quién pintó la Mona Lisa?",
        "¿Cómo se quita una mancha de café?",
        "¿Cuándo vence mi próxima factura?",
    ),
    "ro": (
        "Cum gătesc orez?",
        "Care este capitala Mongoliei?",
        "Cât costă un bilet de tren până la Lyon?",
        "Cum îmi resetez parola?",
        "Când se închide farmacia?",
        "Cine a pictat Mona Lisa?",
        "Cum scot o pată de cafea?",
        "Cum va fi vremea mâine?",
    ),
}
"""Questions that no article answers."""


@dataclass(frozen=True, slots=True)
class Questions:
    """A language's paragraphs, questions, and for each question the number of the right paragraph."""

    paragraphs: list[str]
    questions: list[str]
    right: list[int]


class Remembering:
    """The embedder, which need embed each text but once; `seconds` is what queries took."""

    def __init__(self) -> None:
        self._e5 = E5Embedder()
        self.name = self._e5.name
        self._known: dict[tuple[str, str], NDArray[float32]] = {}
        self.seconds: list[float] = []

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        new = [text for text in texts if (kind, text) not in self._known]
        began = time.perf_counter()
        for text, vector in zip(new, await self._e5.embed(new, kind), strict=True):
            self._known[kind, text] = vector
        if new and kind == "query":
            self.seconds.append((time.perf_counter() - began) / len(new))
        return np.stack([self._known[kind, text] for text in texts])

    def cpu(self) -> float:
        assert self._e5.pid is not None
        return sum(psutil.Process(self._e5.pid).cpu_times()[:2])

    def memory(self) -> float:
        assert self._e5.pid is not None
        return psutil.Process(self._e5.pid).memory_full_info().uss / 1e6

    async def wake(self) -> None:
        await self._e5.wake()

    async def close(self) -> None:
        await self._e5.close()


def read(path: Path, most: int) -> Questions:
    """The first `most` paragraphs and what is asked about them."""
    return asked_of([each for article in _data(path) for each in article["paragraphs"]][:most])


def articles(path: Path) -> list[Questions]:
    """Each article by itself."""
    return [asked_of(article["paragraphs"]) for article in _data(path)]


def asked_of(paragraphs: Sequence[JSON]) -> Questions:
    found = Questions([], [], [])
    for paragraph in paragraphs:
        found.paragraphs.append(paragraph["context"])
        for asked in paragraph["qas"]:
            found.questions.append(asked["question"])
            found.right.append(len(found.paragraphs) - 1)
    return found


def _data(path: Path) -> list[JSON]:
    return json.loads(path.read_text())["data"]


async def keep(
    storage: Storage,
    id: str,
    texts: Sequence[str],
    vectors: NDArray[float32],
    name: str,
    library: str | None = None,
) -> None:
    """A file of these chunks, a page each, with their vectors."""
    sha256 = f"{id:0>64}"
    file = StoredFile(
        id=id, owner=LOCAL_PRINCIPAL.id, name=id, size=1, sha256=sha256, media="text/plain", created=1, library=library
    )
    await storage.files.add_file(LOCAL_PRINCIPAL, file, 1)
    chunks: list[Chunk] = []
    start = 0
    for number, text in enumerate(texts):
        chunks.append(Chunk(sha256, number, number + 1, start, start + len(text), (), text))
        start += len(text) + 1
    await storage.documents.add_pages(sha256, [Page(i, text) for i, text in enumerate(texts, 1)], chunks, finished=True)
    for at in range(0, len(texts), 16):
        await storage.chunks.add_vectors(name, chunks[at : at + 16], vectors[at : at + 16])


async def keep_cut(storage: Storage, id: str, paragraphs: Sequence[str], embedder: Remembering) -> None:
    """A file of these paragraphs, cut and embedded as it would be."""
    sha256 = f"{id:0>64}"
    await storage.files.add_file(
        LOCAL_PRINCIPAL,
        StoredFile(id=id, owner=LOCAL_PRINCIPAL.id, name=id, size=1, sha256=sha256, media="text/plain", created=1),
        1,
    )
    page, chunker = Page(1, "\n\n".join(paragraphs), label=""), Chunker(sha256)
    chunks = [*chunker.add(page), *chunker.finish()]
    await storage.documents.add_pages(sha256, [page], chunks, finished=True)
    await storage.chunks.add_vectors(
        embedder.name, chunks, await embedder.embed([embedding_text(each) for each in chunks], "passage")
    )


Way = Callable[[str], Awaitable[list[int]]]
"""A query to the numbers of the chunks found, best first."""


def ways(storage: Storage, embedder: Remembering, scope: SearchScope) -> dict[str, Way]:
    search = DocumentSearch(storage.chunks, embedder)

    async def near(query: str) -> list[ChunkHit]:
        return await storage.chunks.search_vectors(
            scope, embedder.name, (await embedder.embed([query], "query"))[0], 100
        )

    async def meaning(query: str) -> list[int]:
        return [hit.number for hit in await near(query)]

    async def words(query: str) -> list[int]:
        return [hit.number for hit in await storage.chunks.search_words(scope, query, 100)]

    async def ranks(query: str) -> list[int]:
        scores: dict[int, float] = {}
        for hits in (await meaning(query), await words(query)):
            for rank, number in enumerate(hits, 1):
                scores[number] = scores.get(number, 0) + 1 / (60 + rank)
        return sorted(scores, key=lambda number: -scores[number])

    async def both(query: str) -> list[int]:
        return [found.chunk.number for found in await search.find(scope, query, FOUND)]

    return {"words": words, "meaning": meaning, "ranks added": ranks, "both": both}


async def quality(folder: Path, languages: Sequence[str], most: int, embedder: Remembering, goals: Goals) -> None:
    """The tables of how often the right paragraph is first, and among the first five."""
    asked = {language: read(folder / f"xquad.{language}.json", most) for language in languages}
    rows: list[list[str]] = []
    worst = 1.0
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as data:
        storage = open_storage(Path(data))
        passages = [text for each in asked.values() for text in each.paragraphs]
        began, before = time.perf_counter(), 0.0
        await embedder.embed(passages[:1], "passage")
        before = embedder.cpu()
        await embedder.embed(passages, "passage")
        cpu, wall = embedder.cpu() - before, time.perf_counter() - began
        for language, each in asked.items():
            vectors = await embedder.embed(each.paragraphs, "passage")
            await keep(storage, language, each.paragraphs, vectors, embedder.name)
        for query in languages:
            for text in languages:
                scores = {
                    name: await share(way, asked[query])
                    for name, way in ways(storage, embedder, SearchScope(LOCAL_PRINCIPAL, files=(text,))).items()
                }
                rows.append([f"{query} → {text}", *(f"{first:.3f} / {five:.3f}" for first, five in scores.values())])
                gains = [b - a for a, b in zip(scores["meaning"], scores["both"], strict=True)]
                worst = min(worst, *gains)
                if (query, text) in GOALS:
                    for place, value, goal in zip(
                        ("first", "in five"), scores["both"], GOALS[query, text], strict=True
                    ):
                        goals.at_least(f"{query} → {text}, {place}", value, goal)
        await storage.close()
    characters = sum(map(len, passages)) / len(passages)
    table(("question → text", "words", "meaning", "ranks added", "both"), rows)
    goals.at_least("both less meaning alone, worst pair", worst, 0)
    print(
        f"\n{len(passages)} chunks of {characters:.0f} characters: {len(passages) / wall:.1f} embedded a second, "
        f"{len(passages) / cpu:.1f} a second of one core; a query "
        f"{1000 * quantile(embedder.seconds, 0.5):.0f} / {1000 * quantile(embedder.seconds, 0.95):.0f} ms (p50 / p95); "
        f"the embedder's process {embedder.memory():.0f} MB of its own\n"
    )


async def share(way: Way, asked: Questions) -> tuple[float, float]:
    found = [await way(question) for question in asked.questions]
    pairs = list(zip(found, asked.right, strict=True))
    return tuple(sum(right in hits[:most] for hits, right in pairs) / len(pairs) for most in (1, 5))  # pyright: ignore[reportReturnType]


async def latency(size: int, base: Questions, embedder: Remembering, times: int, goals: Goals) -> list[str]:
    """Query to passages in a library of so many chunks, the query's embedding apart."""
    rng = random.Random(size)
    drawn = np.random.default_rng(size)
    near = await embedder.embed(base.paragraphs, "passage")
    queries = base.questions[:times]
    await embedder.embed(queries, "query")
    words = [word for text in base.paragraphs for word in text.split()]
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as data:
        storage = open_storage(Path(data))
        await storage.libraries.add_library(LOCAL_PRINCIPAL, Library("lib_a", LOCAL_PRINCIPAL.id, "made", 1))
        for number in range(size // A_FILE):
            likes = drawn.integers(len(near), size=A_FILE)
            texts = [_made(base.paragraphs[int(like)], words, rng) for like in likes]
            vectors = near[likes] + drawn.normal(scale=0.02, size=(A_FILE, near.shape[1])).astype(float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            await keep(storage, f"file_{number:06}", texts, vectors, embedder.name, "lib_a")
        search = DocumentSearch(storage.chunks, embedder)
        whole, one = (
            SearchScope(LOCAL_PRINCIPAL, libraries=("lib_a",)),
            SearchScope(LOCAL_PRINCIPAL, files=("file_000003",)),
        )
        before = psutil.Process().memory_info().rss
        first = await _timed(search, whole, queries[:1])
        memory = (psutil.Process().memory_info().rss - before) / 1e6
        all_ms, one_ms = await _timed(search, whole, queries), await _timed(search, one, queries)
        await storage.close()
        disk = (Path(data) / "eclair.db").stat().st_size / 1e6
    goals.at_most(f"query to passages among {size:,} chunks, p95", quantile(all_ms, 0.95), 30, " ms")
    return [
        f"{size:,}",
        *(f"{shown(quantile(each, 0.5))} / {shown(quantile(each, 0.95))}" for each in (all_ms, one_ms)),
        shown(first[0]),
        shown(memory),
        shown(disk),
    ]


async def fitting(folder: Path, languages: Sequence[str], every: int, embedder: Remembering, goals: Goals) -> None:
    """How many questions are refused, of those that the documents answer and of others: asked of one article, and of
    all of them, where the question's own is left out for those that nothing answers. Of the same passages what is found
    on the web is judged by its sentences."""
    asked = {language: articles(folder / f"xquad.{language}.json") for language in languages}
    counts: dict[tuple[str, str], list[bool]] = {}
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as data:
        storage = open_storage(Path(data))
        for language, each in asked.items():
            for number, article in enumerate(each):
                await keep_cut(storage, f"{language}_{number}", article.paragraphs, embedder)
        search = DocumentSearch(storage.chunks, embedder)

        async def ask(question: str, language: str, numbers: Sequence[int], column: str, alike: bool) -> None:
            scope = SearchScope(LOCAL_PRINCIPAL, files=tuple(f"{language}_{number}" for number in numbers))
            found = await search.find(scope, question, SHOWN)
            passages = [found_passage(each) for each in found]
            row = ALIKE if alike else ACROSS
            counts.setdefault((row, column), []).append(not may_answer(question, passages, passage_cosines(found)))
            if alike:
                sentences = RelevanceCheck(question, embedder)
                counts.setdefault((WEB, column), []).append(not await sentences.is_relevant(passages))
                await sentences.close()

        for query in languages:
            for text in languages:
                alike = query == text
                all_of_them = range(len(asked[text]))
                for own, article in enumerate(asked[query]):
                    other = (own + 1) % len(all_of_them)
                    rest = [number for number in all_of_them if number != own]
                    for question in article.questions[::every]:
                        for column, numbers in zip(REFUSED[:4], ([own], all_of_them, [other], rest), strict=True):
                            await ask(question, text, numbers, column, alike)
                for at, question in enumerate(EVERYDAY.get(query, ())):
                    for column, numbers in zip(REFUSED[4:], ([at % len(all_of_them)], all_of_them), strict=True):
                        await ask(question, text, numbers, column, alike)
        await storage.close()
    shares = {place: sum(each) / len(each) for place, each in counts.items()}
    rows = [[row, *(f"{shares[row, column]:.3f}" for column in REFUSED)] for row in (ALIKE, ACROSS, WEB)]
    table(("refused, of questions", *REFUSED), rows)
    for row in (ALIKE, ACROSS, WEB):
        answered = [refusal for column in REFUSED[:2] for refusal in counts[row, column]]
        goals.at_most(f"questions refused that a document answers, {row}", sum(answered) / len(answered), 0.01)


def _made(text: str, words: Sequence[str], rng: random.Random) -> str:
    """A text of which every other word is drawn from all, and some from nowhere."""
    return " ".join(
        word if rng.random() < 0.5 else rng.choice(words) if rng.random() < 0.95 else f"w{rng.randrange(100_000)}"
        for word in text.split()
    )


async def _timed(search: DocumentSearch, scope: SearchScope, queries: Sequence[str]) -> list[float]:
    """Milliseconds."""
    taken: list[float] = []
    for query in queries:
        began = time.perf_counter()
        await search.find(scope, query, FOUND)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--xquad", type=Path, required=True, help="XQuAD's folder")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these alone")
    wanted = parser.parse_args()
    if not (wanted.xquad / "xquad.en.json").exists():
        raise SystemExit(f"{wanted.xquad} has no xquad.en.json; name XQuAD's folder with --xquad.")
    goals, embedder = Goals(), Remembering()
    languages, most, sizes = (LANGUAGES[:2], 20, SIZES[:1]) if wanted.quick else (LANGUAGES, 10_000, SIZES)
    try:
        if "quality" in wanted.parts:
            await quality(wanted.xquad, languages, most, embedder, goals)
        if "latency" in wanted.parts:
            base, times = read(wanted.xquad / "xquad.en.json", most), 40 if wanted.quick else 200
            rows = [await latency(size, base, embedder, times, goals) for size in sizes]
            table(LATENCY, rows)
        if "fitting" in wanted.parts:
            await fitting(wanted.xquad, languages, 40 if wanted.quick else 8, embedder, goals)
    finally:
        await embedder.close()
    goals.print()


if __name__ == "__main__":
    run(main())
