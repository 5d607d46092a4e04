from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.documents.chunking import MAX_CHUNK_CHARS, MAX_SENTENCE_CHARS, MIN_CHUNK_CHARS, Chunker
from eclair.schema.documents import Block, BlockKind, Chunk, Page
from eclair.text.sentences import split_sentences

LONG = "Das Amt prüft z. B. den Antrag vom 3. Mai nach Nr. 5 der Ordnung, wie Dr. Weiß schrieb. "


Part = tuple[BlockKind, str] | tuple[BlockKind, str, int]


def page(number: int, *parts: Part, member: str | None = None) -> Page:
    """A page of these blocks, a line each."""
    text, blocks = "", list[Block]()
    for kind, words, *level in parts:
        blocks.append(Block(kind, len(text), len(text) + len(words), level[0] if level else 0))
        text += words + "\n"
    return Page(number, text[:-1], tuple(blocks), member=member)


def parts(kind: BlockKind, texts: Sequence[str]) -> list[Part]:
    return [(kind, text) for text in texts]


def cut(*pages: Page, most: int = MAX_CHUNK_CHARS) -> list[Chunk]:
    chunker = Chunker("a" * 64, most)
    return [chunk for each in pages for chunk in chunker.add(each)] + chunker.finish()


def whole(pages: Sequence[Page]) -> str:
    return "".join(each.text + "\n" for each in pages)


def test_a_short_document_is_one_chunk() -> None:
    (chunk,) = cut(
        page(1, ("heading", "On bread", 1), ("paragraph", "It is baked. It is eaten."), ("list", "- rye\n- oat"))
    )
    assert chunk == Chunk("a" * 64, 0, 1, 0, 46, ("On bread",), "On bread\nIt is baked. It is eaten.\n- rye\n- oat")


def test_no_chunk_goes_on_after_a_heading_that_divides() -> None:
    chunks = cut(
        page(1, ("heading", "Acts", 1), ("heading", "Of work", 2), ("paragraph", "Work is work.")),
        page(2, ("heading", "Of rest", 2), ("heading", "Nights", 3), ("paragraph", "Nights are long.")),
        page(3, ("heading", "Days", 3), ("paragraph", "So are days.")),
    )
    assert [(chunk.heading, chunk.page, chunk.text) for chunk in chunks] == [
        (("Acts", "Of work"), 1, "Acts\nOf work\nWork is work."),
        (("Acts", "Of rest", "Nights"), 2, "Of rest\nNights\nNights are long.\nDays\nSo are days."),
    ]


def test_a_sentence_goes_over_the_end_of_a_page_and_what_repeats_is_left_out() -> None:
    pages = [
        page(1, ("furniture", "The Book"), ("paragraph", "One. Two begins"), ("furniture", "1")),
        page(2, ("furniture", "The Book"), ("paragraph", "and ends here. Three."), ("furniture", "2")),
    ]
    (chunk,) = cut(*pages)
    assert " ".join(chunk.text.split()) == "One. Two begins and ends here. Three."
    text = whole(pages)
    assert all(c in (" ", text[chunk.start + i]) for i, c in enumerate(chunk.text))


def test_a_long_paragraph_is_cut_into_parts_that_are_alike_between_sentences() -> None:
    sentence = LONG
    chunks = cut(page(1, ("paragraph", (sentence * 16).strip())))
    assert len(chunks) == 2
    assert all(chunk.text == (sentence * round(len(chunk.text) / len(sentence))).strip() for chunk in chunks)
    assert abs(len(chunks[0].text) - len(chunks[1].text)) <= len(sentence)


def test_a_table_is_whole_or_every_part_knows_its_first_line() -> None:
    rows = [f"| {i} | {'x' * 40} |" for i in range(80)]
    small = "\n".join(["| Number | Name |", *rows[:25]])
    assert [chunk.text for chunk in cut(page(1, ("table", small)))] == [small]
    large = "\n".join(["| Number | Name |", *rows])
    chunks = cut(page(1, ("heading", "Names", 2), ("table", large)))
    assert "\n".join(chunk.text for chunk in chunks) == "Names\n" + large
    assert [chunk.heading for chunk in chunks] == [("Names",), *[("Names", "| Number | Name |")] * (len(chunks) - 1)]


def test_rows_are_not_cut() -> None:
    rows = [f"Name: N{i}; Place: {'x' * (i * 7 % 200)}; Sum: {i},50 €" for i in range(200)]
    chunks = cut(page(1, *parts("row", rows)))
    assert "\n".join(chunk.text for chunk in chunks).split("\n") == rows
    assert all(MIN_CHUNK_CHARS <= len(chunk.text) <= MAX_CHUNK_CHARS for chunk in chunks[:-1])


def test_files_of_an_archive_are_apart() -> None:
    chunks = cut(
        page(1, ("heading", "A", 1), ("paragraph", "One"), member="a.txt"),
        page(2, ("paragraph", "Two"), member="b.txt"),
    )
    assert [(chunk.heading, chunk.text, chunk.page) for chunk in chunks] == [(("A",), "A\nOne", 1), ((), "Two", 2)]


def test_a_text_without_blocks_or_stops_is_cut_at_white_space() -> None:
    words = " ".join(f"word{i}" for i in range(3000))
    chunks = cut(Page(1, words))
    assert " ".join(chunk.text for chunk in chunks) == words
    assert "".join(chunk.text for chunk in cut(Page(1, "x" * 10_000))) == "x" * 10_000


@pytest.mark.parametrize(
    "sentences",
    [
        ("Das gilt z. B. für Nr. 5.", "Am 3. Mai kam Dr. Weiß.", "Er ging."),
        ("Il faut p. ex. un avis.", "C’est écrit !", "« Oui. » dit-il."),
        ("第一句話。", "第二句話！", "第三句話？"),
        ("ما هذا؟", "هذا كتاب.", "نعم."),
    ],
)
def test_sentences_of_many_scripts_are_not_cut(sentences: tuple[str, ...]) -> None:
    text = " ".join(sentences)
    edges = {text.index(sentence) for sentence in sentences} | {0}
    for most in range(4, 60):
        for chunk in cut(page(1, ("paragraph", text)), most=most):
            assert chunk.start in edges


KINDS: st.SearchStrategy[BlockKind] = st.sampled_from(
    ["heading", "paragraph", "list", "table", "row", "code", "furniture"]
)
WORDS = st.text(st.sampled_from("ab cdeÄ.?!。؟\n,:-| 1٣三\t"), max_size=120)
BLOCKS = st.tuples(KINDS, WORDS, st.integers(0, 6))


@st.composite
def documents(draw: st.DrawFn) -> list[Page]:
    pages = [page(number, *draw(st.lists(BLOCKS, max_size=6))) for number in range(1, draw(st.integers(1, 5)) + 1)]
    return [Page(each.number, each.text) if draw(st.booleans()) else each for each in pages]


@settings(max_examples=300)
@given(documents(), st.integers(2, 80))
def test_chunks_hold_every_word_once_and_in_order(pages: list[Page], most: int) -> None:
    chunks = cut(*pages, most=most)
    text, told = whole(pages), list[int]()
    start = 0
    for each in pages:
        silent = {i for block in each.blocks if block.kind == "furniture" for i in range(block.start, block.end)}
        told += [start + i for i, c in enumerate(each.text) if i not in silent and not c.isspace()]
        start += len(each.text) + 1
    held = [chunk.start + i for chunk in chunks for i, c in enumerate(chunk.text) if not c.isspace()]
    assert held == told
    for number, chunk in enumerate(chunks):
        assert chunk.number == number
        assert chunk.text == chunk.text.strip() != ""
        assert len(chunk.text) == chunk.end - chunk.start
        assert all(c in (" ", text[chunk.start + i]) for i, c in enumerate(chunk.text))
        begins = [0]
        for each in pages:
            begins.append(begins[-1] + len(each.text) + 1)
        assert begins[chunk.page - 1] <= chunk.start < begins[chunk.page]
        heads = [
            begins[each.number - 1] + block.start
            for each in pages
            for block in each.blocks
            if block.kind == "heading" and block.level <= 2 and each.text[block.start : block.end].strip()
        ]
        if any(chunk.start < head < chunk.end for head in heads):
            assert all_headings(pages, begins, chunk.start, max(h for h in heads if h < chunk.end))


def all_headings(pages: Sequence[Page], begins: Sequence[int], start: int, end: int) -> bool:
    """Whether nothing but headings and furniture stands between two places."""
    plain = [
        begins[each.number - 1] + i
        for each in pages
        for block in (each.blocks or (Block("paragraph", 0, len(each.text)),))
        if block.kind not in ("heading", "furniture")
        for i in range(block.start, block.end)
        if not each.text[i].isspace()
    ]
    return not any(start <= place < end for place in plain)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=8), st.integers(2, 80))
def test_no_sentence_is_cut(paragraphs: list[str], most: int) -> None:
    flat = [" ".join(words.split()) for words in paragraphs]
    each = page(1, *parts("paragraph", flat))
    edges, at = set[int](), 0
    for words in flat:
        edges |= {at} | {at + start for start, _ in split_sentences(words)}
        at += len(words) + 1
    assert {chunk.start for chunk in cut(each, most=most)} <= edges


@settings(max_examples=100)
@given(documents(), st.integers(2, 80), st.data())
def test_a_page_gives_what_is_whole_whatever_follows(pages: list[Page], most: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(pages)))
    chunker = Chunker("a" * 64, most)
    given = [chunk for each in pages[:count] for chunk in chunker.add(each)]
    assert given == cut(*pages, most=most)[: len(given)]


def test_no_chunk_is_longer_than_a_sentence_may_be() -> None:
    text = "x" * 30_000 + ". " + "y " * 20_000
    kinds: tuple[BlockKind, ...] = ("paragraph", "list", "table", "row", "code", "heading")
    for kind in kinds:
        assert max(len(chunk.text) for chunk in cut(page(1, (kind, text, 1)))) <= MAX_SENTENCE_CHARS
