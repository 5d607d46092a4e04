from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy import float32
from numpy.typing import NDArray

from eclair.documents import named_files
from eclair.documents.document_search import DocumentSearch, FoundChunk, is_table_of_contents
from eclair.documents.embeddings import E5Embedder, Embedder, Turn
from eclair.documents.named_files import find_named_files
from eclair.documents.neighbors import with_neighbors
from eclair.errors import EngineUnavailable
from eclair.schema.documents import Chunk, Page
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import StoredFile
from tests.storage.helpers import ME, SOMEONE

SHA = "a" * 64
SCOPE = SearchScope(ME, files=("file_a",))
TEXTS = (
    "The notice period is three months to the end of a quarter.",
    "Das Gerät A-4711 wird mit einem Netzteil geliefert; zum Gerät A-4712 gehört keines.",
    "Nach § 12 der Satzung wählt die Versammlung den Vorstand. § 13 gilt sinngemäß.",
    "Frau Müller leitet die Abteilung seit dem Jahr 2019.",
    "Die Kaffeemaschine in der Küche wird jeden Freitag entkalkt.",
    "Gerät A-4712: Störung 4711, Abschnitt 12.",
    "Le chat dort sur le canapé pendant l’été.",
    "The annual report shows sales of 4,711 thousand euros.",
)


@pytest.fixture
async def e5() -> AsyncGenerator[E5Embedder]:
    embedder = E5Embedder()
    yield embedder
    await embedder.close()


@pytest.fixture
async def corpus(storage: Storage) -> Storage:
    await storage.files.add_file(
        ME,
        StoredFile(id="file_a", owner="me", name="house.pdf", size=1, sha256=SHA, media="application/pdf", created=1),
        1,
    )
    starts = np.cumsum([0, *(len(text) + 1 for text in TEXTS)]).tolist()
    pages = [Page(i, text, label=f"p{i}", member="a.txt") for i, text in enumerate(TEXTS, 1)]
    chunks = [
        Chunk(SHA, i, i + 1, starts[i], starts[i] + len(text), ("House rules",), text) for i, text in enumerate(TEXTS)
    ]
    await storage.documents.add_pages(SHA, pages, chunks, finished=True)
    return storage


async def embed(corpus: Storage, embedder: Embedder, most: int = 99) -> None:
    chunks = await corpus.chunks.list_unembedded(embedder.name, most)
    await corpus.chunks.add_vectors(
        embedder.name, chunks, await embedder.embed([chunk.text for chunk in chunks], "passage")
    )


def numbers(found: Sequence[FoundChunk]) -> list[int]:
    return [each.chunk.number for each in found]


FIRST = {
    "How long is the period of notice?": 0,
    "Who leads the department?": 3,
    "Quand détartre-t-on la machine à café ?": 4,
    "Où dort le chat en été ?": 6,
    "A-4711": 1,
    "Mueller": 3,
    "§ 12": 2,
    "§12": 2,
    "4,711": 7,
    "2019": 3,
}


async def test_what_fits_comes_first(corpus: Storage, e5: E5Embedder) -> None:
    await embed(corpus, e5)
    search = DocumentSearch(corpus.chunks, e5)
    for query, first in FIRST.items():
        found = await search.find(SCOPE, query, 3)
        assert numbers(found)[0] == first, query
        assert len(found) == 3
        assert all(0 <= each.score <= 1 for each in found)


async def test_what_is_found_says_where_it_stands(corpus: Storage) -> None:
    (found,) = await DocumentSearch(corpus.chunks, None).find(SCOPE, "Kaffeemaschinen", 5)
    assert (found.file, found.name, found.label, found.member) == ("file_a", "house.pdf", "p5", "a.txt")
    assert (found.match, found.chunk.page, found.chunk.heading) == ("words", 5, ("House rules",))
    assert found.chunk.text == TEXTS[4]
    assert 0 < found.score <= 1


async def add_texts(storage: Storage, texts: Mapping[str, Sequence[str]]) -> SearchScope:
    """Add files by their names, one chunk a text."""
    for number, (name, parts) in enumerate(texts.items()):
        id, sha256 = f"file_{number:03}", f"{number:064}"
        stored = StoredFile(id=id, owner="me", name=name, size=1, sha256=sha256, media="", created=1)
        await storage.files.add_file(ME, stored, 1)
        chunks = [Chunk(sha256, i, i + 1, 99 * i, 99 * i + len(text), (), text) for i, text in enumerate(parts)]
        pages = [Page(i, text) for i, text in enumerate(parts, 1)]
        await storage.documents.add_pages(sha256, pages, chunks, finished=True)
    return SearchScope(ME, files=tuple(f"file_{number:03}" for number in range(len(texts))))


LEASE = ("The deposit is {} months’ rent.", "Pets are allowed.", "The rent is due on the first of a month.")


async def test_a_file_that_the_question_names_comes_first(storage: Storage, e5: E5Embedder) -> None:
    tenants = ("Martin", "Müller", "Dupont", "Rossi", "Weber")
    scope = await add_texts(
        storage, {f"lease_{name}_202{i}.pdf": [text.format(i) for text in LEASE] for i, name in enumerate(tenants)}
    )
    while await storage.chunks.list_unembedded(e5.name, 9):
        await embed(storage, e5, 9)
    for search in (DocumentSearch(storage.chunks, e5), DocumentSearch(storage.chunks, None)):
        for query, name in {
            "What does the lease of Dupont say of the deposit?": "lease_Dupont_2022.pdf",
            "Wie hoch ist die Kaution, also deposit, bei Mueller?": "lease_Müller_2021.pdf",
            "What was the deposit in 2023?": "lease_Rossi_2023.pdf",
        }.items():
            found = await search.find(scope, query, 3)
            assert (found[0].name, found[0].chunk.number) == (name, 0), query


async def test_a_named_file_is_found_among_many_that_fit_as_well(storage: Storage) -> None:
    others = {f"lease_Tenant{number:03}.pdf": ["The deposit is two months’ rent."] for number in range(120)}
    scope = await add_texts(storage, {"lease_Dupont.pdf": ["One pays a deposit, the rent of two months."], **others})
    search = DocumentSearch(storage.chunks, None)
    assert (await search.find(scope, "deposit, two months’ rent", 1))[0].name != "lease_Dupont.pdf"
    assert (await search.find(scope, "Dupont: deposit, two months’ rent", 1))[0].name == "lease_Dupont.pdf"


async def test_a_name_is_found_as_it_is_spelled(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_files, "MAX_COMPARED_NAMES", 4)
    names = ("Bail Réné.pdf", "Отчёт Ивановых.pdf", "報告書佐藤.pdf", *(f"Bail É{i}.pdf" for i in range(9)))
    scope = await add_texts(storage, {name: ["Nothing."] for name in names})
    for question, number in {"Qu'est-ce que dit Réné ?": 0, "Что пишут Ивановы?": 1, "報告書 佐藤": 2}.items():
        (found,) = await find_named_files(storage.chunks, scope, question)
        assert found.file == f"file_{number:03}", question


async def test_a_document_under_two_named_files_counts_by_the_better_name(storage: Storage) -> None:
    names = ("Martin_2021_Bern.pdf", "Bern_2021.pdf", *(f"Tenant{number:02}.pdf" for number in range(20)))
    scope = await add_texts(storage, {name: ["The deposit."] for name in names})
    again = StoredFile(id="file_x", owner="me", name="Martin.pdf", size=1, sha256=f"{0:064}", media="", created=1)
    await storage.files.add_file(ME, again, 1)
    scope = replace(scope, files=(*scope.files, "file_x"))
    query = "The deposit of Martin, 2021 in Bern?"
    named = await find_named_files(storage.chunks, scope, query)
    assert [each.file for each in named] == ["file_000", "file_001", "file_x"]
    found = await DocumentSearch(storage.chunks, None).find(scope, query, 2)
    assert [each.key for each in found] == [named[0].key, named[1].key]


async def test_common_words_and_small_numbers_name_no_file(storage: Storage) -> None:
    names = ("Annex 14.pdf", "Handbook.pdf", "Handbook printers.pdf", "The rules.pdf", *(f"{i}.txt" for i in range(6)))
    scope = await add_texts(storage, {name: ["Nothing."] for name in names})

    async def named(question: str) -> list[str]:
        found = await find_named_files(storage.chunks, scope, question)
        return [names[int(each.file.removeprefix("file_"))] for each in found]

    assert await named("Can it be sent back within 14 days?") == []
    assert await named("What does annex 14 say?") == ["Annex 14.pdf"]
    assert await named("What is in the handbook on printers?") == ["Handbook printers.pdf", "Handbook.pdf"]
    assert await named("Where is the text?") == []
    assert await named(f"What does annex 14 say?\n{' '.join(f'word{i}' for i in range(16))}") == []
    assert await find_named_files(storage.chunks, replace(scope, files=scope.files[2:3]), "Which printers?") == []


class Noting:
    """Notes the texts that it is asked to put into order."""

    is_enabled = True

    def __init__(self) -> None:
        self.texts: Sequence[str] = ()

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        self.texts = texts
        return list(range(len(texts)))

    async def close(self) -> None: ...


async def test_a_reranker_reads_the_names_of_files_where_one_is_named(storage: Storage) -> None:
    scope = await add_texts(storage, {"Dupont.pdf": ["The deposit."], "Martin.pdf": ["A deposit."]})
    reranker = Noting()
    search = DocumentSearch(storage.chunks, None, reranker)
    await search.find(scope, "What is the deposit of Dupont?", 2)
    assert reranker.texts == ["Dupont.pdf\nThe deposit.", "Martin.pdf\nA deposit."]
    await search.find(scope, "What is the deposit?", 2)
    assert sorted(reranker.texts) == ["A deposit.", "The deposit."]


async def test_a_table_of_contents_comes_last(storage: Storage) -> None:
    texts = [
        "Of bread . . . . . . . 3\nOf bread and butter . . . . . . 4\nOf bread and cheese . . . . . 5",
        "It is baked of flour and water, and called bread.",
    ]
    await storage.files.add_file(
        ME, StoredFile(id="file_a", owner="me", name="a", size=1, sha256=SHA, media="", created=1), 1
    )
    chunks = [Chunk(SHA, i, i + 1, 200 * i, 200 * i + len(text), (), text) for i, text in enumerate(texts)]
    await storage.documents.add_pages(SHA, [Page(i, text) for i, text in enumerate(texts, 1)], chunks, finished=True)
    search = DocumentSearch(storage.chunks, None)
    assert numbers(await search.find(SCOPE, "bread", 2)) == [1, 0]
    assert numbers(await search.find(SCOPE, "bread", 1)) == [1]
    assert numbers(await search.find(SCOPE, "cheese", 1)) == [0]


class Broken:
    name = "broken"

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        raise EngineUnavailable("It is down.")

    async def wake(self) -> None: ...

    async def close(self) -> None: ...


async def test_words_find_while_the_embedder_is_down(corpus: Storage) -> None:
    assert numbers(await DocumentSearch(corpus.chunks, Broken()).find(SCOPE, "Wer ist Frau Müller?", 5)) == [3]


async def test_words_find_what_has_no_vector_yet(corpus: Storage, e5: E5Embedder) -> None:
    await embed(corpus, e5, 2)
    found = await DocumentSearch(corpus.chunks, e5).find(SCOPE, "Kaffeemaschine", 5)
    assert numbers(found)[0] == 4
    assert found[0].match == "words"
    assert {each.match for each in found[1:]} == {"meaning"}


async def test_a_question_at_either_end_of_a_long_text_is_found(corpus: Storage) -> None:
    search = DocumentSearch(corpus.chunks, None)
    for query in ("Müller? " + "x1-" * 300_000, "1" * 300_000 + " Müller?"):
        assert numbers(await search.find(SCOPE, query, 5)) == [3]


async def test_nothing_is_found_in_nothing(corpus: Storage) -> None:
    search = DocumentSearch(corpus.chunks, None)
    assert await search.find(SearchScope(ME), "Müller", 5) == []
    assert await search.find(SearchScope(SOMEONE, files=("file_a",)), "Müller", 5) == []
    assert await search.find(SCOPE, "?!", 5) == []
    assert await search.find(SCOPE, "", 5) == []


def test_a_table_of_contents_comes_last_and_a_table_of_figures_does_not() -> None:
    rows = "".join(f"{number}.1 Setting up the printer | {20 + number}\n" for number in range(1, 6))
    figures = "".join(f"Printers in stock | {number}\n" for number in (24, 7, 31, 2))
    kinds = [
        is_table_of_contents(Chunk("", 0, 1, 0, 1, (), text)) for text in (rows, figures, "Set up . . . . . . 3\n" * 3)
    ]
    assert kinds == [True, False, True]


async def test_the_best_passage_is_shown_with_what_follows_it_in_its_section(storage: Storage) -> None:
    await storage.files.add_file(
        ME, StoredFile(id="file_a", owner="me", name="a", size=1, sha256=SHA, media="", created=1), 1
    )
    texts = [f"Of bread of the kind number {i}, and more words on it." for i in range(20)]
    texts[5] = "Bread is cut thus:"
    texts[4] = texts[6] = "A knife, and a steady hand."
    sections = [("Kinds",) if i < 5 else ("Cutting",) for i in range(20)]
    chunks = [
        Chunk(SHA, i, i + 1, 200 * i, 200 * i + len(text), section, text)
        for i, (text, section) in enumerate(zip(texts, sections, strict=True))
    ]
    await storage.documents.add_pages(
        SHA, [Page(i, text, label=f"p{i}") for i, text in enumerate(texts, 1)], chunks, finished=True
    )
    search = DocumentSearch(storage.chunks, None)
    found = await search.find(SCOPE, "How is bread cut?", 8)
    shown = await with_neighbors(search, SCOPE, found)
    assert numbers(shown)[:2] == [numbers(found)[0], 6] == [5, 6]
    assert numbers(shown)[2:] == numbers(found)[1:7], "in place of the worst"
    assert shown[1].label == "p7"
    few = await search.find(SCOPE, "How is bread cut?", 4)
    assert await with_neighbors(search, SCOPE, few) == few
