"""Leaves out sentences that give orders to a model that reads a page.

A page is evidence; what it wants of its reader is none. The lexicon has the forms that such orders take; control tokens
of chat templates and images in Markdown, by which data could leave, count in any language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from eclair.text.lexicon.loader import Lexicon, Patterns, merge_patterns
from eclair.text.sentences import split_sentences
from eclair.text.terms import fold_text

OMISSION = "[…]"
"""Stands in place of a sentence that is left out."""

_FOREIGN = re.compile(
    r"<\|[^\s|<>]{1,40}\|>|</?\s?(?:passages?|system|instructions?)\s?>|\[/?(?:inst|system_prompt)\]|<</?sys>>"
    r"|!\[[^\[\]\n]{0,200}\]\(\s?(?:https?:|//)"
)
_ROLE = re.compile(r"(?:^|(?<=[.!?] ))\W{0,4}(?:system|assistant|developer)\s?:", re.MULTILINE)


def mask_orders(text: str, *, keep_length: bool = False) -> str:
    """Return a text without its orders to a model.

    After an address to a model (`Note to AI:`) the rest of the line goes too. With `keep_length`, spaces fill the gaps.
    """
    if not _may_hold_orders(text):
        return text
    kept: list[str] = []
    at, skip_until = 0, 0
    for start, end in split_sentences(text):
        folded = " ".join(fold_text(text[start:end]).split())
        if start < skip_until:
            pass
        elif _addresses().search(folded) or _ROLE.match(folded):
            line = text.find("\n", end)
            skip_until = max(end, line if line >= 0 else len(text))
        elif not (_FOREIGN.search(folded) or _orders().search(folded)):
            continue
        kept += [
            text[at:start],
            OMISSION.ljust(end - start) if keep_length and end - start >= len(OMISSION) else OMISSION,
        ]
        at = end
    return "".join((*kept, text[at:]))


def _may_hold_orders(text: str) -> bool:
    """Return whether the text as a whole holds the form of an order, which spares most pages the sentences."""
    folded = fold_text(text)
    ways = {folded, " ".join(folded.split())}  # with its lines, and with sentences that go on in the next one
    return any(form.search(way) for form in (_FOREIGN, _ROLE, _orders(), _addresses()) for way in ways)


@cache
def _orders() -> re.Pattern[str]:
    return _compile(lambda lexicon: lexicon.web_pages.orders)


@cache
def _addresses() -> re.Pattern[str]:
    return _compile(lambda lexicon: lexicon.web_pages.addresses)


def _compile(rule: Callable[[Lexicon], Patterns]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{merge_patterns(rule)})", re.MULTILINE)
