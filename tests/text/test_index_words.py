"""Words and excerpts are those of FTS5, by asking FTS5 itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.storage.sql.messages import parse_words
from eclair.text.excerpts import BEGIN_MARK, END_MARK, cut_excerpt
from eclair.text.index_words import locate_words, split_words

ALPHABETS = (
    (0x20, 0x17F),
    (0x300, 0x345),
    (0x370, 0x3FF),
    (0x400, 0x52F),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),
    (0x4E00, 0x4E20),
)
"""Blocks of the languages of Europe, and some others; FTS5 takes characters newer than itself for letters."""
WORDS = ("rye", "Rye.", "bread:", "crème", "Straße", "Αθήνα", "ΑΘΗΝΑΣ", "България", "snake_case", "a", "12", "·", "\n")


@pytest.fixture(scope="module")
def index() -> Iterator[apsw.Connection]:
    db = apsw.Connection(":memory:")
    for name, more in (("plain", ""), ("sections", " tokenchars '§'")):
        db.execute(
            f"""CREATE VIRTUAL TABLE {name} USING fts5 (text, tokenize = "unicode61 remove_diacritics 2{more}")"""
        )
        db.execute(f"CREATE VIRTUAL TABLE {name}_word USING fts5vocab ({name}, 'instance')")
    yield db
    db.close()


def fts5_words(db: apsw.Connection, text: str, name: str) -> list[str]:
    db.execute(f"DELETE FROM {name}")
    db.execute(f"INSERT INTO {name} VALUES (?)", (text,))
    return [term for (term,) in db.execute(f"SELECT term FROM {name}_word ORDER BY offset")]


def test_each_letter_of_europe_is_folded_as_fts5_does(index: apsw.Connection) -> None:
    characters = [chr(code) for low, high in ALPHABETS for code in range(low, high + 1)]
    text = " ".join(f"x{each}y" for each in characters if unicodedata.ucd_3_2_0.category(each) != "Cn")
    assert split_words(text) == fts5_words(index, text, "plain")
    assert split_words(text, has_sections=True) == fts5_words(index, text, "sections")


@given(st.text(st.sampled_from("aBéßœſΑάςσ́̈Ййё§_-'’0²½ .面"), max_size=40))
def test_any_text_has_the_words_that_fts5_finds(index: apsw.Connection, text: str) -> None:
    assert split_words(text) == fts5_words(index, text, "plain")
    assert [word for word, _, _ in locate_words(text)] == split_words(text)
    assert split_words(text, has_sections=True) == fts5_words(index, text, "sections")


@given(
    text=st.lists(st.sampled_from(WORDS), max_size=60), query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
)
def test_excerpts_are_those_of_fts5(index: apsw.Connection, text: list[str], query: list[str]) -> None:
    written, terms = " ".join(text), parse_words(" ".join(query))
    index.execute("DELETE FROM plain")
    index.execute("INSERT INTO plain VALUES (?)", (written,))
    asked = " ".join(term.query for term in terms)
    if not asked:
        return
    snippet = f"SELECT snippet(plain, 0, '{BEGIN_MARK}', '{END_MARK}', '…', 16) FROM plain WHERE plain MATCH ?"
    for (excerpt,) in index.execute(snippet, (asked,)):
        assert cut_excerpt(written, terms) == excerpt
