"""Chooses the sentences that answer a question best, to be quoted first."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.citations.drafts import asks_for_text
from eclair.citations.evidence import split_passage
from eclair.documents.document_relevance import reply_language
from eclair.documents.embeddings import Embedder
from eclair.documents.table_rows import is_header, name_cells
from eclair.errors import UpstreamError
from eclair.generation.sources import NO_LEAD, ClosestQuotes, Lead, Quote
from eclair.schema.messages import Citation, Passage
from eclair.text.facts import extract_facts
from eclair.text.intent.asked_fact import asks_yes_or_no
from eclair.text.intent.whole_document import wants_whole_document
from eclair.text.lexicon.loader import choose_phrase
from eclair.text.sentences import has_question_mark
from eclair.text.terms import is_content_word

MAX_PASSAGES = 3
"""Only the best passages are quoted from."""
MAX_EMBEDDED_SENTENCES = 6
"""Each embedding delays the first word of the answer."""
MAX_QUOTE_CHARS = 600
RANK_BONUS = 0.15
"""Bonus for a sentence in the best passage; half and a third of it in the next ones."""
MAX_SCORE_GAP = 0.4
"""A second sentence within this score of the best is quoted too: for one question in five the answer is there
(bench/README.md)."""
MIN_WHOLE_WORDS = 4
"""A shorter question rests on the one before."""
MAX_FRAGMENT_CHARS = 8
"""A quote this short needs two words: a lone number or name, as on a photo, says nothing."""

_WORDS = re.compile(r"\w\W+\w")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence of a passage, at characters `start` to `end` of its text, and its score; more is better."""

    passage: Passage
    start: int
    end: int
    text: str
    score: float


async def choose_quotes(
    question: str, passages: Sequence[Passage], embedder: Embedder | None, limit: int = 1
) -> list[Quote]:
    """Return the best `limit` sentences in reading order, as Markdown quotes with citations.

    If one is wanted and the second is about as good, both are returned. Raises what the embedder raises.
    """
    sentences = await asyncio.to_thread(rank_by_words, question, passages[:MAX_PASSAGES])
    if embedder is not None and len(sentences) > limit:
        sentences = await _rank_by_meaning(question, sentences[:MAX_EMBEDDED_SENTENCES], embedder)
    if limit == 1 and len(sentences) > 1 and sentences[0].score - sentences[1].score < MAX_SCORE_GAP:
        limit = 2
    chosen = sorted(sentences[:limit], key=lambda sentence: (sentence.passage.number, sentence.start))
    return [make_quote(sentence.passage, sentence.start, sentence.end) for sentence in chosen]


async def quote_closest(question: str, passages: Sequence[Passage], embedder: Embedder | None) -> ClosestQuotes:
    """Return the sentences closest to a question as quotes, below one that no source says it clearly.

    Nothing where no statement of the sources is asked for. Raises what the embedder raises.
    """
    if not has_question_mark(question) or wants_whole_document(question) or asks_for_text(question):
        return ()
    quotes = await choose_quotes(question, passages, embedder)
    return (f"\n\n{not_stated_text(question, passages)}\n\n", *quotes) if quotes else ()


def not_stated_text(question: str, passages: Sequence[Passage]) -> str:
    """Return the sentence above what is closest to a question, in the language of its reply."""
    return choose_phrase(reply_language(question, passages), lambda lexicon: lexicon.not_stated)


async def quote_answer(question: str, passages: Sequence[Passage], embedder: Embedder | None) -> Lead:
    """Return the sentence that answers a question as the whole answer; nothing if it can't be told."""
    try:
        quotes = await choose_quotes(question, passages, embedder)
    except UpstreamError as error:
        log.warning("the sentence that answers a question is not known: %s", error.message)
        return NO_LEAD
    return Lead(tuple(quotes), is_complete=bool(quotes))


def is_answered_by_quote(question: str, passages: Sequence[Passage]) -> bool:
    """Tell whether the sentence that tells answers a question: yes or no would, too, and it doesn't rest on another."""
    if len(question.split()) < MIN_WHOLE_WORDS or wants_whole_document(question) or asks_for_text(question):
        return False
    return asks_yes_or_no(question, reply_language(question, passages))


def rank_by_words(question: str, passages: Sequence[Passage]) -> list[RankedSentence]:
    """Rank sentences by their share of the question's words, rarer ones counting more, and by their passage's rank.

    The row of a table has the words of its columns' names, and those aren't ranked by themselves.
    """
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)}
    spans = [(rank, passage, span) for rank, passage in enumerate(passages, 1) for span in split_passage(passage)]
    texts = [name_cells(passage, start) or passage.text[start:end] for _, passage, (start, end) in spans]
    stems = [{term.stem for term in extract_facts(text).terms} for text in texts]
    common = Counter(stem for sentence in stems for stem in sentence & asked)
    total = sum(1 / common[stem] for stem in asked if common[stem]) or 1.0
    sentences = [
        RankedSentence(
            passage,
            start,
            end,
            passage.text[start:end],
            sum(1 / common[stem] for stem in sentence & asked) / total + RANK_BONUS / rank,
        )
        for (rank, passage, (start, end)), sentence in zip(spans, stems, strict=True)
        if start >= passage.body and end - start <= MAX_QUOTE_CHARS and _is_quotable(passage, start, end)
    ]
    return sorted(sentences, key=lambda sentence: -sentence.score)


def _is_quotable(passage: Passage, start: int, end: int) -> bool:
    text = passage.text
    if is_header(passage, start):
        return False
    return end - start > MAX_FRAGMENT_CHARS or _WORDS.search(text, start, end) is not None


async def _rank_by_meaning(
    question: str, sentences: Sequence[RankedSentence], embedder: Embedder
) -> list[RankedSentence]:
    """Rank sentences by cosine to the question and shared words together."""
    import numpy as np  # takes 0.1 s, which most starts don't need

    question_vectors, vectors = await asyncio.gather(
        embedder.embed([question], "query"), embedder.embed([sentence.text for sentence in sentences], "passage")
    )
    cosines = np.vecdot(vectors, question_vectors[0])
    spread = cosines - cosines.min()
    both = spread / (spread.max() or 1.0) + np.array([sentence.score for sentence in sentences])
    order: list[int] = np.argsort(-both, kind="stable").tolist()
    return [replace(sentences[place], score=float(both[place])) for place in order]


def make_quote(passage: Passage, start: int, end: int, title: str = "") -> Quote:
    """Quote characters `start` to `end` of a passage's text, below an optional title."""
    text = passage.text[start:end]
    words = " ".join(text.split())
    above = f"**{title}**\n\n> " if title else "> "
    place = (len(above), len(above) + len(words))
    begin, until = passage.start + start, passage.start + end
    if passage.computation is not None:
        begin, until = passage.start, passage.end
    where = passage.named_at(begin)
    citation = Citation(0, *place, passage.number, text, begin, until, 1.0, *where, passage.computation)
    return Quote(f"{above}{words} [{passage.number}]\n\n", citation)
