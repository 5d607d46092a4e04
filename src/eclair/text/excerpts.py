"""Cut the excerpt of a text that shows best what a search has found in it, with marks around each match.

It is the one that FTS5's `snippet` cuts: the words around a match, or from the start of its sentence, that have most of
what was looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eclair.text.index_words import locate_words, split_words
from eclair.text.search_terms import SearchTerm

EXCERPT_WORDS = 16
BEGIN_MARK = "\ue000"
END_MARK = "\ue001"
ELLIPSIS = "…"

_NEW_TERM_SCORE = 1000
_SENTENCE_SCORE = 100
_BEGINNING_SCORE = 120
_ENDS_OF_SENTENCES = ".:"
_SPACES = " \t\n\r"


@dataclass(frozen=True, slots=True)
class _Match:
    """A term, by its place in the query, at words `start` to `end` of the text, the last one included."""

    term: int
    start: int
    end: int


def cut_excerpt(text: str, terms: Sequence[SearchTerm]) -> str:
    """Return the excerpt that shows the terms best."""
    words = locate_words(text)
    if not words:
        return text
    matches = _find_matches([word for word, _, _ in words], terms)
    first = _choose_start(text, words, matches)
    return _marked(text, words, matches, first, first + EXCERPT_WORDS - 1)


def _find_matches(words: Sequence[str], terms: Sequence[SearchTerm]) -> list[_Match]:
    """Find all matches, in the order of the words at which they begin."""
    parts = [(term, split_words(each.word), each.is_prefix) for term, each in enumerate(terms)]
    found = [
        _Match(term, start, start + len(phrase) - 1)
        for term, phrase, is_prefix in parts
        for start in _places(words, phrase, is_prefix=is_prefix)
    ]
    return sorted(found, key=lambda match: (match.start, match.term))


def _places(words: Sequence[str], phrase: Sequence[str], *, is_prefix: bool) -> Iterator[int]:
    if not phrase:
        return
    *firsts, last = phrase
    for place, word in enumerate(words[len(firsts) :]):
        if (word.startswith(last) if is_prefix else word == last) and words[place : place + len(firsts)] == firsts:
            yield place


def _choose_start(text: str, words: Sequence[tuple[str, int, int]], matches: Sequence[_Match]) -> int:
    """Return the word at which the best excerpt begins."""
    best, start = 0, 0
    sentences = _sentence_starts(text, words) if len(words) > EXCERPT_WORDS else []
    for match in matches:
        score, first, last = _score(matches, match.start)
        if score > best:
            best, start = score, _centered(first, last, len(words))
        sentence = max((each for each in sentences if each <= match.start), default=match.start)
        if sentence < match.start:
            score = _score(matches, sentence)[0] + (_SENTENCE_SCORE if sentence else _BEGINNING_SCORE)
            if score > best:
                best, start = score, sentence
    return start


def _score(matches: Sequence[_Match], start: int) -> tuple[int, int, int]:
    """Score the excerpt that begins with a word; return the score, and the first and last word of its matches."""
    inside = [match for match in matches if start <= match.start < start + EXCERPT_WORDS]
    terms = {match.term for match in inside}
    score = _NEW_TERM_SCORE * len(terms) + len(inside) - len(terms)
    return score, inside[0].start if inside else -1, inside[-1].end + 1 if inside else 0


def _centered(first: int, end: int, count: int) -> int:
    """Return where an excerpt begins that has these words in its middle."""
    room = EXCERPT_WORDS - (end - first)
    start = first - (room // 2 if room >= 0 else -(-room // 2))
    return max(0, min(start, count - EXCERPT_WORDS))


def _sentence_starts(text: str, words: Sequence[tuple[str, int, int]]) -> list[int]:
    starts = [0]
    for place, (_, begin, _) in enumerate(words[1:], 1):
        before = text[words[place - 1][2] : begin]
        ending = before.rstrip(_SPACES)
        if ending != before and ending and ending[-1] in _ENDS_OF_SENTENCES:
            starts.append(place)
    return starts


def _marked(text: str, words: Sequence[tuple[str, int, int]], matches: Sequence[_Match], first: int, last: int) -> str:
    """Return words `first` to `last` with marks around matches, those that overlap within one pair."""
    spans: list[tuple[int, int]] = []
    for match in matches:
        if spans and match.start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], match.end)
        else:
            spans.append((match.start, match.end))
    is_whole_end = last >= len(words) - 1
    begin = words[first][1] if first else 0
    pieces = [ELLIPSIS] if first else []
    for start, end in spans:
        if end < first or start > last:
            continue
        opened, closed = words[max(start, first)][1], words[min(end, last, len(words) - 1)][2]
        pieces += [text[begin:opened], BEGIN_MARK, text[opened:closed], END_MARK]
        begin = closed
    pieces.append(text[begin:] if is_whole_end else text[begin : words[last][2]] + ELLIPSIS)
    return "".join(pieces)
