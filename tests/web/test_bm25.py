"""Passages of pages are chosen by the question's words; sources that contradict each other are noticed."""

from __future__ import annotations

from eclair.schema.documents import Block
from eclair.schema.documents import Page as Sheet
from eclair.schema.messages import Passage
from eclair.schema.web import WebPage
from eclair.web.bm25 import first_chunks, rank_chunks, split_page
from eclair.web.contradictions import Differences, difference_notices, find_contradiction


def page(site: str, *paragraphs: str, title: str = "News") -> WebPage:
    text, blocks = "", list[Block]()
    for paragraph in paragraphs:
        blocks.append(Block("paragraph", len(text), len(text) + len(paragraph)))
        text += paragraph + "\n"
    return WebPage(f"https://{site}/", 0, title, site, (Sheet(1, text, tuple(blocks)),))


LOCK = "The new lock at Ehrang cost 34 million euros. " + "Ships wait for the water to rise. " * 20
PARK = "The park was opened in May by the mayor. " + "Children play on the lawn in the sun. " * 20
FILLER = "Nothing of note happened in the town. " * 20


def test_the_passage_that_has_the_words_comes_first() -> None:
    found = [*split_page(0, page("a.example", FILLER, PARK)), *split_page(1, page("b.example", FILLER, LOCK))]
    chosen = rank_chunks("What did the lock at Ehrang cost?", found, 2)
    assert "34 million" in chosen[0].chunk.text


def test_of_passages_alike_each_page_has_one_first() -> None:
    found = [*split_page(0, page("a.example", LOCK, LOCK, LOCK)), *split_page(1, page("b.example", FILLER, LOCK))]
    assert {piece.page for piece in rank_chunks("lock at Ehrang", found, 2)} == {0, 1}


def test_nothing_is_chosen_where_no_word_fits() -> None:
    assert rank_chunks("Quantum chromodynamics", split_page(0, page("a.example", FILLER)), 4) == []
    assert rank_chunks("", split_page(0, page("a.example", FILLER)), 4) == []
    assert rank_chunks("lock", [], 4) == []


def passage(number: int, site: str, text: str) -> Passage:
    return Passage(number, f"page_{number}", "News", 1, None, (), 0, len(text), text, url=f"https://{site}/")


async def test_two_sites_that_differ_in_what_was_asked_are_named() -> None:
    said = [
        passage(1, "a.example", "The town is old. The new lock at Ehrang cost 34 million euros."),
        passage(2, "b.example", "It rained. The new lock at Ehrang cost 41 million euros."),
    ]
    found = await find_contradiction("What did the new lock at Ehrang cost?", said)
    assert found is not None
    (notice,) = difference_notices(Differences((), found), said)
    assert notice.code == "contradicted"
    assert all(words in notice.message for words in ("[1]", "[2]", "41 million"))


async def test_what_agrees_or_is_about_something_else_is_no_contradiction() -> None:
    same = passage(3, "c.example", "According to the office the new lock at Ehrang cost 34 million euros.")
    other = passage(4, "d.example", "The new lock at Koblenz was opened in 2011 after nine years.")
    first = passage(1, "a.example", "The new lock at Ehrang cost 34 million euros.")
    twin = passage(5, "a.example", "The new lock at Ehrang cost 41 million euros.")
    assert await find_contradiction("What did the new lock at Ehrang cost?", [first, same]) is None
    assert await find_contradiction("What did the new lock at Ehrang cost?", [first, other]) is None
    assert await find_contradiction("What did the new lock at Ehrang cost?", [first, twin]) is None
    assert await find_contradiction("What did the new lock at Ehrang cost?", []) is None


def test_a_page_that_a_person_named_begins_where_it_begins() -> None:
    found = [*split_page(0, page("a.example", FILLER)), *split_page(1, page("b.example", FILLER))]
    first = first_chunks(found, 2)
    assert [piece.page for piece in first] == [0, 1]
    assert [piece.chunk.start for piece in first] == [0, 0]
    assert first_chunks([], 3) == []


def test_of_two_reports_the_fresher_comes_first() -> None:
    found = [*split_page(0, page("a.example", LOCK)), *split_page(1, page("b.example", LOCK))]
    assert rank_chunks("lock at Ehrang", found, 1)[0].page == 0
    assert rank_chunks("lock at Ehrang", found, 1, {0: 1.0, 1: 1.3})[0].page == 1
