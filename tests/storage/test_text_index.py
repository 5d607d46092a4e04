"""Both databases find the same, whatever is searched for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.open import open_storage
from eclair.storage.postgres.open import open_postgres
from eclair.storage.sql.store import SQLStore
from tests.postgres import TestDatabases
from tests.storage.helpers import ME, OTHER, directions, found, read
from tests.storage.test_feeds import entry, feed

WORDS = (
    *("crème", "Creme", "brûlée", "Straße", "strasse", "Müller", "Mueller", "Kündigungsfrist", "Kündigung", "the"),
    *("Αθήνα", "ΑΘΗΝΑΣ", "στην", "България", "българия", "новини", "ёлка", "елка", "Łódź", "lodz", "cœur"),
    *(
        "§",
        "12",
        "§ 12",
        "§12a",
        "A-4711",
        "2024/1689",
        "snake_case",
        "l'été",
        "面包很好",
        "機器學習",
        "e\u0301te\u0301",
    ),
)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
QUERIES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
PREFIXES = st.sampled_from(WORDS).map(lambda word: word[: max(2, len(word) // 2)])


@pytest.fixture
async def both(tmp_path: Path, databases: TestDatabases) -> AsyncGenerator[tuple[Storage, Storage]]:
    with databases.lend() as url:
        storages = open_storage(tmp_path / "store"), open_postgres(url, lambda: 1.0)
        yield storages
        for storage in storages:
            await storage.close()


FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def numbers() -> Callable[[], int]:
    counter = count(1)
    return lambda: next(counter)


@FEW
@given(texts=st.lists(TEXTS, min_size=2, max_size=6), queries=st.lists(QUERIES | PREFIXES, min_size=4, max_size=8))
async def test_messages_are_found_alike(
    both: tuple[Storage, Storage], numbers: Callable[[], int], texts: list[str], queries: list[str]
) -> None:
    number = numbers()
    tree = Conversation(f"conv_{number}", "local", "Bread", 1, 2)
    messages = [
        Message(f"msg_{number}_{place}", tree.id, None, "user", (Part("text", text),), place)
        for place, text in enumerate(texts)
    ]
    for storage in both:
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, tree, messages)
    for query in queries:
        lite, post = [await each.conversations.search_messages(LOCAL_PRINCIPAL, query, 500) for each in both]
        assert sorted((hit.message, hit.excerpt) for hit in post) == sorted((hit.message, hit.excerpt) for hit in lite)


@FEW
@given(texts=st.lists(TEXTS, min_size=3, max_size=8), queries=st.lists(QUERIES | PREFIXES, min_size=4, max_size=8))
async def test_chunks_are_found_alike(
    both: tuple[Storage, Storage], numbers: Callable[[], int], texts: list[str], queries: list[str]
) -> None:
    number = numbers()
    lite, post = [await read(storage, texts, f"file_{number}", f"{number:064}") for storage in both]
    assert lite == post
    for query in queries:
        hits = [await found(storage, scope, query) for storage, scope in zip(both, (lite, post), strict=True)]
        assert sorted(hits[0]) == sorted(hits[1])


@FEW
@given(texts=st.lists(TEXTS, min_size=3, max_size=8), queries=st.lists(QUERIES | PREFIXES, min_size=4, max_size=8))
async def test_entries_are_found_alike(
    both: tuple[Storage, Storage], numbers: Callable[[], int], texts: list[str], queries: list[str]
) -> None:
    number = numbers()
    entries = [entry(f"{number}-{place}", text, place) for place, text in enumerate(texts)]
    for storage in both:
        await storage.feeds.add_feeds(ME, [feed()])
        await storage.feeds.save_fetch(feed(), entries, 5, 5000)
    for query in queries:
        lite, post = [await each.feeds.search_entries(ME, query, 5000) for each in both]
        assert {hit.entry.key for hit in post} == {hit.entry.key for hit in lite}


async def test_vectors_of_a_large_scope_are_found_by_the_index(
    both: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so few vectors the index finds what comparing them all does."""
    from eclair.storage.postgres import chunk_vectors

    vectors, texts = directions(60, 384), [f"text {number}" for number in range(60)]
    scopes: Sequence[SearchScope] = [await read(storage, texts) for storage in both]
    for storage in both:
        assert await storage.chunks.add_vectors("e5", await storage.chunks.list_unembedded("e5", 60), vectors)
    exact = await both[0].chunks.search_vectors(scopes[0], "e5", vectors[7], 5)
    for most in (1000, 0):
        monkeypatch.setattr(chunk_vectors, "MAX_COMPARED", most)
        near = await both[1].chunks.search_vectors(scopes[1], "e5", vectors[7], 5)
        assert [each.number for each in near] == [each.number for each in exact]
        assert [each.score for each in near] == pytest.approx([each.score for each in exact], abs=1e-6)
    other = SearchScope(ME, ("file_none",))
    assert await both[1].chunks.search_vectors(other, "e5", vectors[7], 5) == []


async def test_frequent_words_are_counted_by_statistics(
    both: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rarest word of a search decides, whether its rows are counted or expected."""
    from eclair.storage.postgres import text_index

    texts = [f"bread {'crust' * (number == 7)} {'oven' * (number % 3 == 0)} baker{number}" for number in range(60)]
    lite, post = [await read(storage, texts) for storage in both]
    await analyze(both[1])
    monkeypatch.setattr(text_index, "MAX_COUNTED", 5)
    for query in ("bread crust", "oven crust bread", "baker7", "baker", "bread", "nowhere"):
        hits = [await found(storage, scope, query) for storage, scope in zip(both, (lite, post), strict=True)]
        assert hits[0][:1] == hits[1][:1], query


async def test_the_rarest_of_words_that_are_not_known_to_be_frequent_is_searched(
    both: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics expect as many rows with each of these, whichever comes first in the query."""
    from eclair.storage.postgres import text_index
    from eclair.storage.sql import text_index as common

    texts = [f"bread{' crust' * (number == 7)}{' oven' * (number % 3 == 0)}" for number in range(60)]
    _, post = [await read(storage, texts) for storage in both]
    monkeypatch.setattr(common, "MAX_INDEX_HITS", 25)
    monkeypatch.setattr(text_index, "MAX_COUNTED", 25)
    monkeypatch.setattr(text_index, "_expect_rows", Mock(return_value=30))
    assert (await found(both[1], post, "oven bread crust"))[0] == 7


async def test_a_word_that_is_no_longer_frequent_is_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eclair.storage.sql import text_index as common
    from eclair.storage.sqlite import text_index

    for module in (common, text_index):
        monkeypatch.setattr(module, "MAX_INDEX_HITS", 10)
    storage = open_storage(tmp_path / "store")
    try:
        few = await read(storage, ["bread and crust", "bread alone"])
        await read(storage, ["bread again"] * 30, id="file_many", sha256=OTHER)
        for _ in range(2):
            assert await found(storage, few, "bread crust") == [0]
        await storage.files.delete_file(ME, "file_many")
        assert await found(storage, few, "bread crust") == [0, 1]
    finally:
        await storage.close()


async def test_messages_behind_many_deleted_ones_are_found(
    both: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    from eclair.storage.postgres import text_index

    monkeypatch.setattr(text_index, "MAX_RANKED_MATCHES", 5)
    for storage in both:
        for name, count_of_messages in (("kept", 2), ("gone", 30)):
            messages = [
                Message(f"msg_{name}_{place}", f"conv_{name}", None, "user", (Part("text", "bread and crust"),), place)
                for place in range(count_of_messages)
            ]
            tree = Conversation(f"conv_{name}", "local", name, 1, 2)
            await storage.conversations.add_tree(LOCAL_PRINCIPAL, tree, messages)
        await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_gone")
    await analyze(both[1])
    for query in ("bread", "bread crust", "crust"):
        for storage in both:
            hits = await storage.conversations.search_messages(LOCAL_PRINCIPAL, query, 20)
            assert {hit.message for hit in hits} == {"msg_kept_0", "msg_kept_1"}


async def test_a_rare_word_beside_a_frequent_one_is_found(both: tuple[Storage, Storage]) -> None:
    for storage in both:
        messages = [
            Message(f"msg_{place}", "conv", None, "user", (Part("text", "bread" + " crust" * (place == 9)),), place)
            for place in range(60)
        ]
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, Conversation("conv", "local", "Bread", 1, 2), messages)
    await analyze(both[1])
    for storage in both:
        hits = await storage.conversations.search_messages(LOCAL_PRINCIPAL, "bread crust", 20)
        assert [hit.message for hit in hits] == ["msg_9"]


async def analyze(storage: Storage) -> None:
    """Have PostgreSQL count which words are frequent, as it does by itself after a while."""
    store = storage.conversations
    assert isinstance(store, SQLStore)
    await store.database.write(lambda db: list(db.execute("ANALYZE")))
