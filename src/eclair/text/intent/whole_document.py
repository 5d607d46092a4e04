"""Detect requests that concern whole documents: to sum up, compare, or list all.

A rule for the languages whose lexicon has such words, on letters without case and accents. Where it is wrong, a
question is answered from the passages that fit it, or the other way round.
"""

from __future__ import annotations

import re
from functools import cache

from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.lexicon.loader import merge_patterns, merge_words
from eclair.text.terms import fold_text, split_terms


def wants_whole_document(question: str) -> bool:
    """Tell whether a question concerns all of a document rather than a place in it."""
    return _request().search(fold_text(question[:MAX_QUESTION_CHARS])) is not None


@cache
def request_stems() -> frozenset[str]:
    """Return the stems of words that say only that the whole is asked for, and how."""
    words = merge_words(lambda lexicon: lexicon.whole_document.request_words)
    return frozenset(term.stem for term in split_terms(" ".join(words)))


@cache
def _request() -> re.Pattern[str]:
    """All rules as one pattern, which takes milliseconds to compile."""
    nouns = merge_patterns(lambda lexicon: lexicon.whole_document.nouns)
    exceptions = merge_patterns(lambda lexicon: lexicon.whole_document.not_nouns_before)
    openings = merge_patterns(lambda lexicon: lexicon.whole_document.openings)
    determiners = merge_patterns(lambda lexicon: lexicon.whole_document.determiners)
    these = merge_patterns(lambda lexicon: lexicon.whole_document.these)
    patterns = merge_patterns(lambda lexicon: lexicon.whole_document.patterns)
    noun = rf"(?:{nouns})\b(?! (?:{exceptions}))"
    rules = (
        # "Summary" is asked for at the start of a request, or with an article that says there is none yet.
        rf"^[^\w\n]*+(?:(?:{openings}) )?{noun}",
        rf"\b(?:{determiners}) (?:[\w-]+ ){{0,3}}?{noun}",
        patterns.replace("{these}", rf"(?:{these})\b"),
    )
    return re.compile("|".join(rules), re.MULTILINE)
