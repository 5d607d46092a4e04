from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import Conflict, NotFound
from eclair.schema.documents import Block, Chunk, Page, Word
from eclair.schema.messages import Fault
from eclair.storage import vectors as vector_index
from eclair.storage.documents import DocumentStore, Library, Scope, StoredFile
from eclair.storage.encoding import packed_words, unpacked_words
from eclair.storage.store import SQLStore
from tests.storage.test_store import turn
from tests.support import Ids, conversation

SHA = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def documents(store: SQLStore) -> DocumentStore:
    return store.documents


@pytest.fixture
async def other(store: SQLStore, tmp_path: Path) -> AsyncGenerator[DocumentStore]:
    """Another process on the same folder, as far as the database can tell."""
    again = SQLStore.open(tmp_path / "store")
    yield again.documents
    await again.close()


def file(
    id: str, sha256: str = SHA, owner: str = "me", library: str | None = None, path: str | None = None
) -> StoredFile:
    return StoredFile(
        id=id,
        owner=owner,
        name=f"{id}.txt",
        size=10,
        sha256=sha256,
        media="text/plain",
        created=5,
        library=library,
        path=path,
        mtime_ns=None if path is None else 7,
    )


def paged(texts: Sequence[str]) -> list[Page]:
    return [Page(number, text) for number, text in enumerate(texts, 1)]


def cut(texts: Sequence[str], sha256: str = SHA, after: int = 0) -> list[Chunk]:
    """One chunk a page."""
    starts = [sum(len(text) + 1 for text in texts[:i]) for i in range(len(texts))]
    chunks = [
        Chunk(sha256, i, i + 1, start, start + len(text), ("Head",), text)
        for i, (start, text) in enumerate(zip(starts, texts, strict=True))
    ]
    return chunks[after:]


def directions(count: int, dimensions: int = 4) -> np.typing.NDArray[np.float32]:
    vectors = np.random.default_rng(count).normal(size=(count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def read(documents: DocumentStore, texts: Sequence[str], id: str = "file_a", sha256: str = SHA) -> Scope:
    await documents.add_file(file(id, sha256), 1)
    await documents.opened(sha256, len(texts))
    await documents.add_pages(sha256, paged(texts), cut(texts, sha256), finished=True)
    return Scope("me", files=(id,))


async def found(documents: DocumentStore, scope: Scope, query: str) -> list[int]:
    return [near.number for near in await documents.keyword(scope, query, 10)]


async def test_a_file_is_kept_and_what_it_holds_is_queued_once(documents: DocumentStore) -> None:
    state = await documents.add_file(file("file_a"), 1)
    assert (state.sha256, state.state, state.reader, state.pages) == (SHA, "queued", 1, None)
    await documents.opened(SHA, 3)
    assert (await documents.add_file(file("file_b"), 2)).state == "reading"
    assert (await documents.file("me", "file_a")).file == file("file_a")
    with pytest.raises(Conflict, match="file_a"):
        await documents.add_file(file("file_a"), 1)
    with pytest.raises(NotFound):
        await documents.file("someone", "file_a")
    assert [state.sha256 for state in await documents.unfinished()] == [SHA]


async def test_pages_come_back_as_they_were(documents: DocumentStore) -> None:
    page = Page(
        number=1,
        text="Grüße an Åse 🙂",
        blocks=(Block("heading", 0, 5, 2), Block("row", 6, 12, ref="A2:F2")),
        words=(Word(0, 5, 1.5, 2.25, 3, 4), Word(6, 8, 9, 9, 10, 10)),
        width=595.5,
        height=842,
        label="xii",
        member="a/b.txt",
        read="ocr",
    )
    second = Page(2, "more")
    await documents.add_file(file("file_a"), 1)
    await documents.add_pages(SHA, [page, second], [], finished=True)
    first, after = await documents.pages(SHA)
    assert (first.start, first.page) == (0, page)
    assert (after.start, after.page) == (len(page.text) + 1, second)
    assert await documents.pages(SHA, 2, 2) == [after]
    assert await documents.pages_at(SHA, 0, 3) == [first]
    assert await documents.pages_at(SHA, 3, after.start + 1) == [first, after]
    assert await documents.text(SHA, 6, after.start + 2) == "an Åse 🙂\nmo"
    assert (await documents.state(SHA)).state == "ready"


@given(st.lists(st.tuples(st.integers(0, 2**24), st.integers(0, 2**24), *[st.floats(width=32, allow_nan=False)] * 4)))
def test_words_come_back(rows: list[tuple[int, int, float, float, float, float]]) -> None:
    words = tuple(Word(*row) for row in rows)
    assert unpacked_words(packed_words(words)) == words


async def test_reading_goes_on_where_it_stopped(documents: DocumentStore) -> None:
    texts = ["one", "two", "three"]
    await documents.add_file(file("file_a"), 1)
    await documents.opened(SHA, None)
    await documents.add_pages(SHA, paged(texts)[:2], cut(texts)[:1])
    state = await documents.state(SHA)
    assert (state.pages_read, state.chunks, state.characters) == (2, 1, 8)
    with pytest.raises(Conflict, match="Page 2"):
        await documents.add_pages(SHA, paged(texts)[1:], [])
    assert (await documents.state(SHA)).pages_read == 2
    state = await documents.add_pages(SHA, paged(texts)[2:], cut(texts), finished=True)
    assert (state.state, state.pages, state.pages_read, state.chunks) == ("ready", 3, 3, 3)
    assert await documents.chunks(SHA) == cut(texts)
    assert await documents.chunks(SHA, 1, 1) == cut(texts)[1:2]
    assert await documents.unfinished() == []


async def test_a_fault_and_remarks_are_kept_and_reading_anew_forgets_them(documents: DocumentStore) -> None:
    scope = await read(documents, ["apple", "pear"])
    await documents.remarked(SHA, "Page 2 is blurred.")
    await documents.remarked(SHA, "Page 2 is blurred.")
    await documents.failed(SHA, Fault("unreadable", "It broke off."))
    state = await documents.state(SHA)
    assert (state.state, state.fault, state.remarks) == (
        "failed",
        Fault("unreadable", "It broke off."),
        ("Page 2 is blurred.",),
    )
    assert await documents.outdated(1) == []
    assert await documents.outdated(2) == [SHA]
    state = await documents.read_anew(SHA, 2)
    assert (state.state, state.reader, state.pages_read, state.remarks, state.fault) == ("queued", 2, 0, (), None)
    assert await found(documents, scope, "apple") == []
    await documents.add_pages(SHA, paged(["plum"]), cut(["plum"]), finished=True)
    assert await found(documents, scope, "plum") == [0]


async def test_text_goes_with_the_last_file_that_has_it(store: SQLStore, tmp_path: Path) -> None:
    documents = store.documents
    scope = await read(documents, ["the zyzzyva beetle"])
    await documents.add_file(file("file_b"), 1)
    await documents.add_vectors("e5", (await documents.to_embed("e5", 9)), directions(1))
    assert await documents.delete_file("me", "file_a") is None
    assert (await documents.state(SHA)).state == "ready"
    assert await documents.nearest(scope, "e5", directions(1)[0], 5) == []
    with pytest.raises(NotFound):
        await documents.delete_file("someone", "file_b")
    assert await documents.delete_file("me", "file_b") == SHA
    with pytest.raises(NotFound):
        await documents.state(SHA)
    with pytest.raises(NotFound):
        await documents.add_pages(SHA, [], [])
    for path in (tmp_path / "store").glob("eclair.db*"):
        assert b"zyzzyva" not in path.read_bytes()


async def test_a_deletion_that_was_cut_short_is_finished(store: SQLStore) -> None:
    texts = [f"page {i}" for i in range(300)]
    await read(store.documents, texts)
    from eclair.storage.statements import files, pieces

    database = store.documents._database  # pyright: ignore[reportPrivateUsage]
    assert await database.write(lambda db: files.delete(db, "me", "file_a")) == SHA
    assert not await database.write(lambda db: pieces.erase(db, 1, 100))
    assert (await store.documents.add_file(file("file_b"), 1)).pages_read == 0  # it begins anew meanwhile
    await store.documents.erase_rest()
    for table in ("piece", "page"):
        assert await database.read(lambda db, table=table: list(db.execute(f"SELECT count(*) FROM {table}"))) == [(0,)]
    assert (await store.documents.state(SHA)).state == "queued"


async def test_libraries(documents: DocumentStore) -> None:
    await documents.add_library(Library("lib_a", "me", "handbook", 1))
    await documents.add_library(Library("lib_b", "me", "acts", 2))
    await documents.add_library(Library("lib_c", "someone", "handbook", 2))
    with pytest.raises(Conflict, match="handbook"):
        await documents.add_library(Library("lib_d", "me", "handbook", 3))
    with pytest.raises(NotFound):
        await documents.add_file(file("file_x", library="lib_c"), 1)
    for i in range(45):
        await documents.add_file(file(f"file_{i:02}", f"{i:064}", library="lib_a", path=f"/f/{i}"), 1)
    with pytest.raises(Conflict, match="/f/3"):
        await documents.add_file(file("file_x", library="lib_a", path="/f/3"), 1)
    await documents.add_file(file("file_y"), 1)
    await documents.add_pages(f"{0:064}", [], [], finished=True)
    acts, handbook = await documents.libraries("me")
    assert (acts.library.name, acts.files, acts.bytes, acts.states) == ("acts", 0, 0, {})
    assert (handbook.files, handbook.bytes, handbook.states) == (45, 450, {"queued": 44, "ready": 1})
    assert len(await documents.watched("me", "lib_a")) == 45
    assert (await documents.library_named("me", "acts")).id == "lib_b"
    assert (await documents.rename_library("me", "lib_b", "laws")).name == "laws"
    with pytest.raises(Conflict):
        await documents.rename_library("me", "lib_b", "handbook")
    moved = await documents.change_file("me", "file_y", name="new.txt", library="lib_b")
    assert (moved.file.name, moved.file.library) == ("new.txt", "lib_b")
    assert len(await documents.delete_library("me", "lib_a")) == 45
    with pytest.raises(NotFound):
        await documents.library("me", "lib_a")
    assert [library.library.name for library in await documents.libraries("me")] == ["laws"]


async def test_files_are_listed_by_pages(documents: DocumentStore) -> None:
    await documents.add_library(Library("lib_a", "me", "handbook", 1))
    for i in range(5):
        await documents.add_file(file(f"file_{i}", library="lib_a" if i % 2 else None), 1)
    first = await documents.files("me", 3)
    assert [each.file.id for each in first.files] == ["file_4", "file_3", "file_2"]
    rest = await documents.files("me", 3, before=first.next)
    assert ([each.file.id for each in rest.files], rest.next) == (["file_1", "file_0"], None)
    assert [each.file.id for each in (await documents.files("me", 9, library="lib_a")).files] == ["file_3", "file_1"]
    assert (await documents.files("someone", 9)).files == []


async def test_what_goes_along_with_a_message_is_loose_once_that_is_erased(store: SQLStore) -> None:
    await conversation(store)
    run = await turn(store, Ids())
    documents = store.documents
    await documents.add_file(file("file_a", owner="local"), 1)
    await documents.add_file(file("file_b", owner="local"), 1)
    assert [each.id for each in await documents.loose(6)] == ["file_a", "file_b"]
    assert await documents.loose(5) == []
    await documents.attach("local", run.message, ["file_b", "file_a"])
    await documents.attach("local", run.message, ["file_b"])
    with pytest.raises(NotFound):
        await documents.attach("someone", run.message, ["file_a"])
    with pytest.raises(NotFound):
        await documents.attach("local", run.message, ["file_c"])
    assert await documents.attached("local", "conv_a") == {
        run.message: [file("file_b", owner="local"), file("file_a", owner="local")]
    }
    assert await documents.loose(6) == []
    await store.delete_conversation("local", "conv_a", forever=True)
    await store.erase_deleted(1)
    assert [each.id for each in await documents.loose(6)] == ["file_a", "file_b"]


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
async def test_words_are_found_however_they_are_written(documents: DocumentStore, text: str, query: str) -> None:
    scope = await read(documents, ["nothing at all of it", text, "§ 13 A-4712 4711 A"])
    assert (await found(documents, scope, query))[:1] == [1]


@given(st.text(max_size=60))
def test_no_query_breaks_the_index(query: str) -> None:
    """FTS5 has a grammar of its own, and nothing that people write may be taken for it."""
    import apsw

    from eclair.text.search_terms import wanted

    db = apsw.Connection(":memory:")
    db.execute("""CREATE VIRTUAL TABLE t USING fts5(text, tokenize = "unicode61 remove_diacritics 2 tokenchars '§'")""")
    for word in wanted(query):
        list(db.execute("SELECT 1 FROM t WHERE t MATCH ?", (word.query,)))


async def test_a_beginning_that_a_chunk_has_often_is_found(documents: DocumentStore) -> None:
    scope = await read(documents, [" ".join(f"kündigung{ending}" for ending in ("", "en", "s", "sfrist", "sschutz"))])
    assert await found(documents, scope, "Kündigungsgrund") == []
    assert await found(documents, scope, "Kündigung") == [0]


async def test_headings_are_found(documents: DocumentStore) -> None:
    scope = await read(documents, ["some text"])
    assert await found(documents, scope, "head") == [0]


async def test_a_search_stays_in_its_scope(documents: DocumentStore) -> None:
    await documents.add_library(Library("lib_a", "me", "handbook", 1))
    mine = await read(documents, ["apple pie"])
    texts = ["apple juice"]
    await documents.add_file(file("file_b", OTHER, library="lib_a"), 1)
    await documents.add_pages(OTHER, paged(texts), cut(texts, OTHER), finished=True)
    for sha in (SHA, OTHER):
        assert await documents.add_vectors("e5", await documents.to_embed("e5", 5), directions(1)), sha
    vector = directions(1)[0]

    async def hits(scope: Scope) -> tuple[int, int]:
        return len(await documents.keyword(scope, "apple", 9)), len(await documents.nearest(scope, "e5", vector, 9))

    assert await hits(mine) == (1, 1)
    assert await hits(Scope("me", libraries=("lib_a",))) == (1, 1)
    assert await hits(Scope("me", ("file_a", "file_b"), ("lib_a",))) == (2, 2)
    assert await hits(Scope("someone", ("file_a", "file_b"), ("lib_a",))) == (0, 0)
    assert await hits(Scope("me")) == (0, 0)
    near = await documents.keyword(mine, "apple", 9)
    located = await documents.located(mine, near)
    assert [(each.chunk.text, each.file, each.name) for each in located.values()] == [
        ("apple pie", "file_a", "file_a.txt")
    ]
    assert await documents.located(replace(mine, owner="someone"), near) == {}


async def test_vectors_are_made_in_order_and_once(documents: DocumentStore) -> None:
    texts = [f"text {i}" for i in range(10)]
    scope = await read(documents, texts)
    vectors = directions(10)
    first = await documents.to_embed("e5", 4)
    assert [chunk.number for chunk in first] == [0, 1, 2, 3]
    assert await documents.add_vectors("e5", first, vectors[:4])
    assert not await documents.add_vectors("e5", first, vectors[:4])
    assert [near.number for near in await documents.nearest(scope, "e5", vectors[2], 1)] == [2]
    assert await documents.add_vectors("e5", await documents.to_embed("e5", 99), vectors[4:])
    assert await documents.to_embed("e5", 99) == []
    assert [near.number for near in await documents.nearest(scope, "e5", vectors[7], 1)] == [7]
    assert (await documents.state(SHA)).embedded == 10
    assert await documents.add_vectors("bge", await documents.to_embed("bge", 3), directions(3, 8))
    state = await documents.state(SHA)
    assert (state.embedder, state.embedded) == ("bge", 3)
    assert await documents.nearest(scope, "e5", vectors[7], 1) == []


async def test_vectors_of_a_text_that_was_read_anew_are_not_kept(documents: DocumentStore) -> None:
    await read(documents, ["apple"])
    chunks = await documents.to_embed("e5", 9)
    await documents.read_anew(SHA, 2)
    await documents.add_pages(SHA, paged(["plum"]), cut(["plum"]), finished=True)
    assert not await documents.add_vectors("e5", chunks, directions(1))
    assert (await documents.state(SHA)).embedded == 0


async def test_nearest_is_exact_and_sees_what_another_process_does(
    documents: DocumentStore, other: DocumentStore
) -> None:
    rng = np.random.default_rng(1)
    kept: dict[int, np.typing.NDArray[np.float32]] = {}
    ids: list[str] = []
    vector = directions(1)[0]

    async def check() -> None:
        scope = Scope("me", files=tuple(ids))
        for store in (documents, other):
            got = await store.nearest(scope, "e5", vector, 10)
            scores = sorted(float(row.astype("<f2").astype("f4") @ vector) for part in kept.values() for row in part)
            assert [near.score for near in got] == pytest.approx(scores[::-1][:10], abs=1e-6)

    for i in range(12):
        count = int(rng.integers(1, 900))
        texts, sha = [f"{i} {j}" for j in range(count)], f"{i:064}"
        writer = documents if i % 2 else other
        await read(writer, texts, f"file_{i}", sha)
        kept[i] = directions(count)
        ids.append(f"file_{i}")
        done = 0
        while chunks := await writer.to_embed("e5", 300):
            await writer.add_vectors("e5", chunks, kept[i][done : done + len(chunks)])
            done += len(chunks)
        if i % 4 == 3:
            await check()
            gone = i - 2
            del kept[gone]
            ids.remove(f"file_{gone}")
            await documents.delete_file("me", f"file_{gone}")
            await check()


async def test_vectors_that_a_search_does_not_need_are_let_go(
    documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "MOST_ROWS", 50)
    monkeypatch.setattr(vector_index, "SLAB", 16)
    scopes: list[Scope] = []
    for i in range(4):
        scopes.append(await read(documents, [f"{i} {j}" for j in range(40)], f"file_{i}", f"{i:064}"))
        await documents.add_vectors(
            "e5", await documents.to_embed("e5", 40), directions(40)[::-1] if i else directions(40)
        )
    for scope in [*scopes, *scopes]:
        expected = 7 if scope is scopes[0] else 32
        assert [near.number for near in await documents.nearest(scope, "e5", directions(40)[7], 1)] == [expected]
    everything = Scope("me", files=tuple(f"file_{i}" for i in range(4)))
    for _ in range(2):
        assert len(await documents.nearest(everything, "e5", directions(40)[7], 500)) == 160


async def test_a_model_that_was_exchanged_under_its_name_finds_nothing_of_the_old_one(documents: DocumentStore) -> None:
    scope = await read(documents, ["one", "two"])
    await documents.add_vectors("bge", await documents.to_embed("bge", 9), directions(2, 8))
    assert len(await documents.nearest(scope, "bge", directions(2, 8)[0], 9)) == 2
    assert await documents.nearest(scope, "bge", directions(2, 4)[0], 9) == []


WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from eclair.schema.documents import Chunk, Page
from eclair.storage.documents import StoredFile
from eclair.storage.store import SQLStore

async def main():
    documents = SQLStore.open(Path(sys.argv[1])).documents
    sha = "a" * 64
    await documents.add_file(StoredFile(id="file_a", owner="me", name="a", size=1, sha256=sha, media="", created=1), 1)
    print("begun", flush=True)
    for page in range(100_000):
        text = f"page number {page}"
        chunk = Chunk(sha, page, page + 1, page, page + len(text), (), text)
        await documents.add_pages(sha, [Page(page + 1, text)], [chunk])
        if page % 3 == 2:
            await documents.add_vectors("e5", await documents.to_embed("e5", 3), np.ones((3, 4), np.float32))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1, 0.3])
async def test_what_kill_9_leaves_is_whole(tmp_path: Path, after: float) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    await asyncio.sleep(after)
    process.kill()
    await process.wait()
    store = SQLStore.open(tmp_path)
    state = await store.documents.state(SHA)
    pages, chunks = await store.documents.pages(SHA), await store.documents.chunks(SHA)
    assert len(pages) == len(chunks) == state.pages_read == state.chunks
    assert state.embedded == state.chunks // 3 * 3 or state.embedded == state.chunks // 3 * 3 - 3
    scope = Scope("me", files=("file_a",))
    assert len(await store.documents.nearest(scope, "e5", np.ones(4, np.float32), 10**6)) == state.embedded
    assert len(await store.documents.keyword(scope, "number", 10**6)) == state.chunks
    await store.documents.add_pages(SHA, [Page(state.pages_read + 1, "the last")], [], finished=True)
    assert (await store.documents.state(SHA)).state == "ready"
    await store.close()


async def test_two_that_take_in_the_same_file_at_once(documents: DocumentStore, other: DocumentStore) -> None:
    states = await asyncio.gather(documents.add_file(file("file_a"), 1), other.add_file(file("file_b"), 1))
    assert [state.state for state in states] == ["queued", "queued"]
    assert len(await documents.unfinished()) == 1
