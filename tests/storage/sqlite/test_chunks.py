from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.sqlite import vectors as vector_index
from tests.storage.helpers import ME, directions, read


@given(st.text(max_size=60))
def test_no_query_breaks_the_index(query: str) -> None:
    """FTS5 has a grammar of its own, and nothing that people write may be taken for it."""
    import apsw

    from eclair.text.search_terms import parse_query

    db = apsw.Connection(":memory:")
    db.execute("""CREATE VIRTUAL TABLE t USING fts5(text, tokenize = "unicode61 remove_diacritics 2 tokenchars '§'")""")
    for word in parse_query(query):
        list(db.execute("SELECT 1 FROM t WHERE t MATCH ?", (word.query,)))


async def test_vectors_that_a_search_does_not_need_are_let_go(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "MAX_ROWS", 50)
    monkeypatch.setattr(vector_index, "SLAB_ROWS", 16)
    scopes: list[SearchScope] = []
    for i in range(4):
        scopes.append(await read(storage, [f"{i} {j}" for j in range(40)], f"file_{i}", f"{i:064}"))
        await storage.chunks.add_vectors(
            "e5", await storage.chunks.list_unembedded("e5", 40), directions(40)[::-1] if i else directions(40)
        )
    for scope in [*scopes, *scopes]:
        expected = 7 if scope is scopes[0] else 32
        assert [near.number for near in await storage.chunks.search_vectors(scope, "e5", directions(40)[7], 1)] == [
            expected
        ]
    everything = SearchScope(ME, files=tuple(f"file_{i}" for i in range(4)))
    for _ in range(2):
        assert len(await storage.chunks.search_vectors(everything, "e5", directions(40)[7], 500)) == 160
