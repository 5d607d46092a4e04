"""Tells a question on the whole of documents from one on a place in them: to sum up, to compare, to list all.

A rule for the languages whose lexicon has such words. It reads letters without case and accents. Where it is wrong a
question is answered from the passages that fit it, or the other way round.
"""

from __future__ import annotations

import re
from functools import cache

from eclair.text.facts import fold, read
from eclair.text.lexicon.loader import merge_patterns, merge_words

LOOKED_AT = 2000
"""Characters of a question that are looked at: whoever pastes more asks about that."""


@cache
def request_stems() -> frozenset[str]:
    """Stems of words that say only that the whole is asked for, and how."""
    words = merge_words(lambda lexicon: lexicon.whole_document.request_words)
    return frozenset(term.stem for term in read(" ".join(words)).terms)


@cache
def _whole() -> re.Pattern[str]:
    """All rules as one, which takes a while to be compiled."""
    nouns = merge_patterns(lambda lexicon: lexicon.whole_document.nouns)
    exceptions = merge_patterns(lambda lexicon: lexicon.whole_document.not_nouns_before)
    openings = merge_patterns(lambda lexicon: lexicon.whole_document.openings)
    determiners = merge_patterns(lambda lexicon: lexicon.whole_document.determiners)
    these = merge_patterns(lambda lexicon: lexicon.whole_document.these)
    patterns = merge_patterns(lambda lexicon: lexicon.whole_document.patterns)
    noun = rf"(?:{nouns})\b(?! (?:{exceptions}))"
    rules = (
        # A noun of summing up: as what is asked for, or with an article that says there is none yet.
        rf"^\W*(?:(?:{openings}) )?{noun}",
        rf"\b(?:{determiners}) (?:[\w-]+ ){{0,3}}?{noun}",
        patterns.replace("{these}", rf"(?:{these})\b"),
    )
    return re.compile("|".join(rules), re.MULTILINE)


def wants_whole(question: str) -> bool:
    """Whether the question is on all of a document rather than on a place in it."""
    return _whole().search(fold(question[:LOOKED_AT])) is not None
