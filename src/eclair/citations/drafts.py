"""Tell a text that was asked for from what is said about the sources.

A letter, a translation or a poem claims nothing about the passages it was made from. The question decides: where it
asks for a text and for nothing else, all of the answer is that text. Otherwise only a letter within the answer is, from
its salutation to its farewell.
"""

from __future__ import annotations

import re
from functools import cache

from eclair.citations.claims import strip_markdown
from eclair.text.lexicon.loader import merge_patterns

MAX_SIGNATURE_LINES = 3
"""Lines after a farewell that still belong to the letter: names and an address."""

MAX_SIGNATURE_CHARS = 60

_ASKS_MORE = re.compile(
    r"\?|(?:,|;|\.|\b(?:and|und|et|y|e|en|i|și)\b)\s+(?:also\s+|dann\s+|please\s+)?"
    r"(?:tell|say|explain|list|answer|sag\w*|nenn\w*|erklär\w*|dis|dites|explique\w*|di|dime|explica\w*|diga\w*|spiega\w*"
    r"|zeg|leg|powiedz|spune)\b",
    re.IGNORECASE,
)
_LETTER_TEXT = re.compile(r"[^\n]+")


def asks_for_text(question: str) -> bool:
    """Tell whether a question asks for a text to be written or translated, and for nothing else."""
    return _requests().search(question) is not None and _ASKS_MORE.search(question) is None


def is_in_letter(before: str, sentence: str) -> bool:
    """Tell whether a sentence belongs to a letter that began earlier in the answer, or is its signature."""
    lines = [strip_markdown(line).strip(" >*_-") for line in _LETTER_TEXT.findall(before)]
    opened = next((at for at in range(len(lines) - 1, -1, -1) if _salutation().match(lines[at])), None)
    if opened is None:
        return False
    closed = next((at for at in range(opened + 1, len(lines)) if _farewell().match(lines[at])), None)
    if closed is None:
        return True
    is_signature = len(sentence) <= MAX_SIGNATURE_CHARS and not sentence.rstrip().endswith((".", "!"))
    return is_signature and len(lines) - closed <= MAX_SIGNATURE_LINES


@cache
def _requests() -> re.Pattern[str]:
    patterns = merge_patterns(lambda lexicon: (*lexicon.claims.drafting, *lexicon.claims.translating))
    return re.compile(rf"\b(?:{patterns})", re.IGNORECASE)


@cache
def _salutation() -> re.Pattern[str]:
    patterns = merge_patterns(lambda lexicon: lexicon.claims.salutations)
    return re.compile(rf"\W*+(?:{patterns})", re.IGNORECASE)


@cache
def _farewell() -> re.Pattern[str]:
    patterns = merge_patterns(lambda lexicon: lexicon.claims.farewells)
    return re.compile(rf"\W*(?:{patterns})", re.IGNORECASE)
