from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eclair.schema.documents import Word
from eclair.storage.sql.encoding import packed_words, unpacked_words


@given(st.lists(st.tuples(st.integers(0, 2**24), st.integers(0, 2**24), *[st.floats(width=32, allow_nan=False)] * 4)))
def test_words_come_back(rows: list[tuple[int, int, float, float, float, float]]) -> None:
    words = tuple(Word(*row) for row in rows)
    assert unpacked_words(packed_words(words)) == words
