"""Reading notes: short findings with the passages that they rest on, as a model wrote them or as sources say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eclair.documents.embeddings import Embedder
from eclair.documents.quotes import choose_quotes
from eclair.schema.agents import ReadingNote
from eclair.schema.messages import Citation, Passage

MAX_NOTES = 12
MAX_NOTE_CHARS = 600
MAX_QUOTED_NOTES = 3
"""Sentences quoted where no model has taken notes."""

_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_MARK = re.compile(r"\[\^?(\d{1,6})\]")


def parse_notes(text: str, citations: Sequence[Citation], passages: Mapping[int, Passage]) -> tuple[ReadingNote, ...]:
    """Parse the notes that a model wrote, one a line.

    A note rests on the passages that its sentences were found in, and on those that it names. One that rests on none
    is left out.
    """
    notes: list[ReadingNote] = []
    place = 0
    for line in text.splitlines(keepends=True):
        start, place = place, place + len(line)
        found = [each.passage for each in citations if start <= each.start < place]
        named = [int(number) for number in _MARK.findall(line)]
        numbers = tuple(dict.fromkeys(number for number in (*found, *named) if number in passages))
        words = " ".join(_MARK.sub("", _BULLET.sub("", line)).split())[:MAX_NOTE_CHARS]
        if words and numbers:
            notes.append(ReadingNote(words, numbers))
    return tuple(notes[:MAX_NOTES])


async def quote_notes(question: str, passages: Sequence[Passage], embedder: Embedder | None) -> tuple[ReadingNote, ...]:
    """Quote the sentences of passages that answer the question best."""
    quotes = await choose_quotes(question, passages, embedder, MAX_QUOTED_NOTES)
    return tuple(
        ReadingNote(" ".join(each.citation.quote.split())[:MAX_NOTE_CHARS], (each.citation.passage,)) for each in quotes
    )
