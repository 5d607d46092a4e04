from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import apsw
import numpy as np
import pytest

from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.libraries import Library
from eclair.storage.sql.chunks import SQLChunkStore, find_unembedded
from eclair.storage.sql.connection import Connection
from tests.storage.helpers import ME, OTHER, SHA, SOMEONE, cut, directions, file, found, paged, read


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Herr Müller kommt", "Mueller"),
        ("Herr Mueller kommt", "Müller"),
        ("Herr Müller kommt", "muller"),
        ("die Straße", "Strasse"),
        ("die Strasse", "Straße"),
        ("pendant l’été", "ete"),
        ("l'avion", "avion"),
        ("un avion", "l'avion"),
        ("qu'il parle", "QU’IL"),
        ("nach § 12 Absatz 3", "§12"),
        ("nach §12a", "§ 12a"),
        ("Gerät A-4711", "A-4711"),
        ("Summe 1.234,56 €", "1.234,56"),
        ("第三章機器學習的基礎", "機器學習"),
        ("smørrebrød", "smoerrebroed"),
        ("cœur", "coeur"),
        ("στην Ελλάδα", "ΕΛΛΑΔΑ"),
        ("ΑΘΗΝΑΣ", "Αθήνας"),
        ("новогодняя ёлка", "елка"),
        ("Łódź leży", "lodz"),
        ("die Kündigungsfrist", "Kündigungen"),
        ("Straßenverkehrsordnung", "STRASSENVERKEHR"),
    ],
)
async def test_words_are_found_however_they_are_written(storage: Storage, text: str, query: str) -> None:
    scope = await read(storage, ["nothing at all of it", text, "§ 13 A-4712 4711 A"])
    assert (await found(storage, scope, query))[:1] == [1]


async def test_a_beginning_that_a_chunk_has_often_is_found(storage: Storage) -> None:
    scope = await read(storage, [" ".join(f"kündigung{ending}" for ending in ("", "en", "s", "sfrist", "sschutz"))])
    assert await found(storage, scope, "Kündigungsgrund") == []
    assert await found(storage, scope, "Kündigung") == [0]


async def test_headings_are_found(storage: Storage) -> None:
    scope = await read(storage, ["some text"])
    assert await found(storage, scope, "head") == [0]


async def test_a_search_stays_in_its_scope(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    mine = await read(storage, ["apple pie"])
    texts = ["apple juice"]
    await storage.files.add_file(ME, file("file_b", OTHER, library="lib_a"), 1)
    await storage.documents.add_pages(OTHER, paged(texts), cut(texts, OTHER), finished=True)
    for sha in (SHA, OTHER):
        assert await storage.chunks.add_vectors("e5", await storage.chunks.list_unembedded("e5", 5), directions(1)), sha
    vector = directions(1)[0]

    async def hits(scope: SearchScope) -> tuple[int, int]:
        return len(await storage.chunks.search_words(scope, "apple", 9)), len(
            await storage.chunks.search_vectors(scope, "e5", vector, 9)
        )

    assert await hits(mine) == (1, 1)
    assert await hits(SearchScope(ME, libraries=("lib_a",))) == (1, 1)
    assert await hits(SearchScope(ME, ("file_a", "file_b"), ("lib_a",))) == (2, 2)
    assert await hits(SearchScope(SOMEONE, ("file_a", "file_b"), ("lib_a",))) == (0, 0)
    assert await hits(SearchScope(ME)) == (0, 0)
    near = await storage.chunks.search_words(mine, "apple", 9)
    located = await storage.chunks.locate_chunks(mine, near)
    assert [(each.chunk.text, each.file, each.name) for each in located.values()] == [
        ("apple pie", "file_a", "file_a.txt")
    ]
    assert await storage.chunks.locate_chunks(replace(mine, principal=SOMEONE), near) == {}


async def test_names_of_files_are_listed_by_their_words(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "leases", 1))
    names = ("Lease Dupont.pdf", "lease_MARTIN.pdf", "Bail Müller.pdf", "rules.txt", "lease_50%.pdf")
    for number, name in enumerate(names):
        stored = replace(file(f"file_{number}", f"{number}" * 64, library="lib_a"), name=name)
        await storage.files.add_file(ME, stored, 1)
    scope = SearchScope(ME, libraries=("lib_a",))

    async def listed(scope: SearchScope, words: list[str], limit: int = 9) -> tuple[int, list[str]]:
        found = await storage.chunks.list_names(scope, words, limit)
        return found.total, [each.name for each in found.files]

    assert await listed(scope, ["martin"]) == (5, ["lease_MARTIN.pdf", "Bail Müller.pdf"])
    assert await listed(scope, ["lease", "dupont"], 3) == (
        5,
        ["Lease Dupont.pdf", "lease_50%.pdf", "lease_MARTIN.pdf"],
    )
    for number, name in enumerate(("Отчёт Иванов.pdf", "ОТЧЁТ ИВАНОВ.pdf", "иванов.pdf", "Смирнов.pdf"), 5):
        stored = replace(file(f"file_{number}", f"{number}" * 64, library="lib_a"), name=name)
        await storage.files.add_file(ME, stored, 1)
    assert (await listed(scope, ["müller"], 1))[1] == ["Bail Müller.pdf"]
    assert (await listed(scope, ["иванов"], 3))[1] == ["иванов.pdf", "ОТЧЁТ ИВАНОВ.pdf", "Отчёт Иванов.pdf"]
    assert await listed(SearchScope(ME, ("file_1", "file_3")), ["rules"]) == (2, ["rules.txt"])
    assert await listed(SearchScope(ME, ("file_1",)), ["rules"]) == (0, [])
    assert await listed(replace(scope, principal=SOMEONE), ["lease"]) == (0, [])


async def test_vectors_are_made_in_order_and_once(storage: Storage) -> None:
    texts = [f"text {i}" for i in range(10)]
    scope = await read(storage, texts)
    vectors = directions(10)
    first = await storage.chunks.list_unembedded("e5", 4)
    assert [chunk.number for chunk in first] == [0, 1, 2, 3]
    assert await storage.chunks.add_vectors("e5", first, vectors[:4])
    assert not await storage.chunks.add_vectors("e5", first, vectors[:4])
    assert [near.number for near in await storage.chunks.search_vectors(scope, "e5", vectors[2], 1)] == [2]
    assert await storage.chunks.add_vectors("e5", await storage.chunks.list_unembedded("e5", 99), vectors[4:])
    assert await storage.chunks.list_unembedded("e5", 99) == []
    assert [near.number for near in await storage.chunks.search_vectors(scope, "e5", vectors[7], 1)] == [7]
    assert (await storage.documents.get_state(SHA)).embedded == 10
    assert await storage.chunks.add_vectors("bge", await storage.chunks.list_unembedded("bge", 3), directions(3, 8))
    state = await storage.documents.get_state(SHA)
    assert (state.embedder, state.embedded) == ("bge", 3)
    assert await storage.chunks.search_vectors(scope, "e5", vectors[7], 1) == []


async def test_documents_that_are_asked_come_first_then_attached_ones_and_the_newest(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    await storage.libraries.add_library(ME, Library("lib_b", "me", "other", 1))
    for id, library in (("a", "lib_a"), ("b", None), ("c", "lib_b"), ("d", None), ("e", "lib_b")):
        await storage.files.add_file(ME, file(f"file_{id}", 64 * id, library=library), 1)
        await storage.documents.add_pages(64 * id, paged([id]), cut([id], 64 * id), finished=True)
    asked, order = SearchScope(ME, libraries=("lib_a",)), ""
    assert (await storage.chunks.list_unembedded("e5", 9, replace(asked, principal=SOMEONE)))[0].text == "d"
    while chunks := await storage.chunks.list_unembedded("e5", 9, asked):
        order += chunks[0].text
        await storage.chunks.add_vectors("e5", chunks, directions(1))
    assert order == "adbec"


async def test_the_next_document_is_found_without_reading_those_that_have_vectors(storage: Storage) -> None:
    for name in "abcde":
        await storage.files.add_file(ME, file(f"file_{name}", 64 * name), 1)
        await storage.documents.add_pages(64 * name, paged([name]), cut([name], 64 * name), finished=True)
    for embedder, names in (("bge", "d"), ("e5", "ab"), ("old", "c")):
        for name in names:
            chunks = await storage.chunks.list_unembedded(embedder, 9, document=64 * name)
            assert await storage.chunks.add_vectors(embedder, chunks, directions(1))
    order = ""
    while chunks := await storage.chunks.list_unembedded("e5", 9):
        order += chunks[0].text
        assert await storage.chunks.add_vectors("e5", chunks, directions(1))
    assert order == "edc"
    chunk_store = storage.chunks
    assert isinstance(chunk_store, SQLChunkStore)

    def explain(db: Connection) -> list[str]:
        explained = Explaining(db)
        assert find_unembedded(explained, "bge", None, []) is not None
        return explained.plans

    plans = await chunk_store.database.read(explain)
    assert not [plan for plan in plans if re.search("SCAN document$|Seq Scan on document", plan)]
    assert {"document_unembedded", "document_of_embedder"} <= {word for plan in plans for word in plan.split()}


class Explaining:
    """A connection that also keeps how each statement finds its rows."""

    def __init__(self, db: Connection) -> None:
        self.plans: list[str] = []
        self._db = db
        self._verb = "EXPLAIN QUERY PLAN" if isinstance(db, apsw.Connection) else "EXPLAIN"
        if self._verb == "EXPLAIN":
            for way in ("seqscan", "sort", "bitmapscan"):  # which suit so few rows
                db.execute("SELECT set_config(?, 'off', false)", (f"enable_{way}",))

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> object:
        return self._db.executemany(statement, values)

    def changes(self) -> int:
        return self._db.changes()

    def total_changes(self) -> int:
        return self._db.total_changes()

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[Any]:
        self.plans += [str(row[-1]) for row in self._db.execute(f"{self._verb} {statement}", values)]
        return self._db.execute(statement, values)


async def test_documents_have_an_owner_and_those_of_some_can_wait(storage: Storage) -> None:
    await storage.files.add_file(ME, file("file_a", SHA), 1)
    await storage.files.add_file(SOMEONE, file("file_b", SHA, "someone"), 1)
    await storage.files.add_file(SOMEONE, file("file_c", OTHER, "someone"), 1)
    for sha in (SHA, OTHER):
        await storage.documents.add_pages(sha, paged([sha[0]]), cut([sha[0]], sha), finished=True)
    assert [await storage.chunks.find_owner(sha) for sha in (SHA, OTHER, "c" * 64)] == ["me", "someone", ""]
    assert (await storage.chunks.list_unembedded("e5", 9, None, ["someone"]))[0].document == SHA
    assert (await storage.chunks.list_unembedded("e5", 9, None, ["me"]))[0].document == OTHER
    assert await storage.chunks.list_unembedded("e5", 9, None, ["me", "someone"]) == []


async def test_vectors_of_a_text_that_was_read_anew_are_not_kept(storage: Storage) -> None:
    await read(storage, ["apple"])
    chunks = await storage.chunks.list_unembedded("e5", 9)
    await storage.documents.requeue(SHA, 2)
    await storage.documents.add_pages(SHA, paged(["plum"]), cut(["plum"]), finished=True)
    assert not await storage.chunks.add_vectors("e5", chunks, directions(1))
    assert (await storage.documents.get_state(SHA)).embedded == 0


async def test_nearest_is_exact_and_sees_what_another_process_does(storage: Storage, other: Storage) -> None:
    rng = np.random.default_rng(1)
    kept: dict[int, np.typing.NDArray[np.float32]] = {}
    ids: list[str] = []
    vector = directions(1)[0]

    async def check() -> None:
        scope = SearchScope(ME, files=tuple(ids))
        for each in (storage, other):
            got = await each.chunks.search_vectors(scope, "e5", vector, 10)
            scores = sorted(float(row.astype("<f2").astype("f4") @ vector) for part in kept.values() for row in part)
            assert [near.score for near in got] == pytest.approx(scores[::-1][:10], abs=1e-6)

    for i in range(12):
        count = int(rng.integers(1, 900))
        texts, sha = [f"{i} {j}" for j in range(count)], f"{i:064}"
        writer = storage if i % 2 else other
        await read(writer, texts, f"file_{i}", sha)
        kept[i] = directions(count)
        ids.append(f"file_{i}")
        done = 0
        while chunks := await writer.chunks.list_unembedded("e5", 300):
            await writer.chunks.add_vectors("e5", chunks, kept[i][done : done + len(chunks)])
            done += len(chunks)
        if i % 4 == 3:
            await check()
            gone = i - 2
            del kept[gone]
            ids.remove(f"file_{gone}")
            await storage.files.delete_file(ME, f"file_{gone}")
            await check()


async def test_a_model_that_was_exchanged_under_its_name_finds_nothing_of_the_old_one(storage: Storage) -> None:
    scope = await read(storage, ["one", "two"])
    await storage.chunks.add_vectors("bge", await storage.chunks.list_unembedded("bge", 9), directions(2, 8))
    assert len(await storage.chunks.search_vectors(scope, "bge", directions(2, 8)[0], 9)) == 2
    assert await storage.chunks.search_vectors(scope, "bge", directions(2, 4)[0], 9) == []
