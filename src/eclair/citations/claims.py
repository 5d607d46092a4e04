"""Whether a sentence of Markdown claims anything, and what it says without its marks."""

from __future__ import annotations

import re
from functools import cache

from eclair.text.facts import fold, read, tells
from eclair.text.lexicon.loader import merge_patterns

_FENCE_OR_HEADING = re.compile(r"\s*(?:#{1,6}\s|```|~~~)")
_BOLD_ALONE = re.compile(r"\s*(\*\*|__)[^*_]+\1\s*:?\s*")
_ASKS = re.compile(r"[?？؟;]\W*\Z")
_ANNOUNCES = re.compile(r"[:：]\W*\Z")


@cache
def _no_claim() -> re.Pattern[str]:
    """Matches a greeting with at most three words after it, no figures among them; a bare answer; a disclaimer."""
    greetings = merge_patterns(lambda lexicon: lexicon.claims.greetings)
    answers = merge_patterns(lambda lexicon: lexicon.claims.answers)
    disclaimers = merge_patterns(lambda lexicon: lexicon.claims.disclaimers)
    return re.compile(
        rf"\W*(?:(?:{greetings})\b\W*(?:[^\W\d]+\W*){{0,3}}\Z|(?:{answers})\W*\Z|{disclaimers})", re.IGNORECASE
    )


def claims(sentence: str) -> bool:
    """Whether a sentence of Markdown claims anything that could be true or false."""
    if _FENCE_OR_HEADING.match(sentence) or _BOLD_ALONE.fullmatch(sentence):
        return False
    text = plain(sentence)
    if _ASKS.search(text) or _ANNOUNCES.search(text) or _no_claim().match(text):
        return False
    return any(sign.isdigit() for sign in text) or bool([term for term in read(text).terms if tells(term)])


_MARKUP = re.compile(
    r"\[\^?\d{1,3}(?:[,;–-] ?\d{1,3})*\]|!?\[([^\]\n]{0,300})\]\([^)\s]{0,500}\)"
    r"|[*_~`]{1,3}(?=\S)|(?<=\S)[*_~`]{1,3}|\n[ \t]*>+"
)


def plain(markdown: str) -> str:
    """The words without the marks of Markdown and of footnotes."""
    return " ".join(_MARKUP.sub(lambda found: found[1] or " ", markdown).split())


def bare(text: str) -> str:
    """The words alone, folded, for comparison."""
    return " ".join(re.findall(r"\w+", fold(text)))
