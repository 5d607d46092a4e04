"""Detect requests for a picture: to draw something, or to make a photo or an image of it."""

from __future__ import annotations

import re
from functools import cache

from eclair.text.lexicon.loader import merge_patterns
from eclair.text.terms import fold_text

MAX_WORDS = 16
"""Words of the question that are read: such requests say so at their beginning."""

MAX_READ_CHARS = 400

_WORD = re.compile(r"\w+")


def asks_for_picture(question: str) -> bool:
    """Return whether the question asks, in any language of the lexicons, for a picture; a diagram isn't one."""
    head = " ".join(_WORD.findall(fold_text(question[:MAX_READ_CHARS]))[:MAX_WORDS])
    return _request().match(head) is not None and _diagram().search(head) is None


@cache
def _request() -> re.Pattern[str]:
    draw = merge_patterns(lambda lexicon: lexicon.picture_requests.draw)
    make = merge_patterns(lambda lexicon: lexicon.picture_requests.make)
    pictures = merge_patterns(lambda lexicon: lexicon.picture_requests.pictures)
    return re.compile(rf"(?:\w+ ){{0,3}}?(?:(?:{draw})\b|(?:{make})(?: \w+){{0,6}}? (?:{pictures})\b)")


@cache
def _diagram() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{merge_patterns(lambda lexicon: lexicon.picture_requests.diagrams)})\b")
