"""Leaves out sentences that give orders to a model that reads a page.

A page is evidence; what it wants of its reader is none. The lexicon has the forms that such orders take; control tokens
of chat templates and images in Markdown, by which data could leave, count in any language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

from eclair.text.lexicon.loader import load_lexicons
from eclair.text.sentences import split_sentences
from eclair.text.terms import fold_text

OMISSION = "[…]"
"""Stands in place of a sentence that is left out."""

_FOREIGN = re.compile(
    r"<\|[^\s|<>]{1,40}\|>|</?\s?(?:passages?|system|instructions?)\s?>|\[/?(?:inst|system_prompt)\]|<</?sys>>"
    r"|!\[[^\[\]\n]{0,200}\]\(\s?(?:https?:|//)"
)
_ROLE = re.compile(r"(?:^|(?<=[.!?] ))\W{0,4}(?:system|assistant|developer)\s?:", re.MULTILINE)


_WORD_START = re.compile(r"(?<!\w)[a-z]")


def mask_orders(text: str, *, keep_length: bool = False) -> str:
    """Return a text without its orders to a model.

    After an address to a model (`Note to AI:`) the rest of the line goes too. With `keep_length`, spaces fill the gaps.
    """
    if not (may_hold_orders(text) or (keep_length and may_hold_orders(text.replace("\n", " ")))):
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
        is_padded = keep_length and end - start >= len(OMISSION)
        kept += [text[at:start], OMISSION.ljust(end - start) if is_padded else OMISSION]
        at = end
    return "".join((*kept, text[at:]))


def may_hold_orders(text: str) -> bool:
    """Return whether the text as a whole holds the form of an order, which spares most pages the sentences."""
    folded = fold_text(text)
    return any(form.search(folded) for form in (_FOREIGN, _ROLE, _orders(), _addresses()))


class _Forms:
    """Patterns of which each begins with a word; they are tried at words with one of their first letters."""

    def __init__(self, patterns: Iterable[str]) -> None:
        by_letter: dict[str, list[str]] = {}
        for pattern in dict.fromkeys(patterns):
            for letter in _first_letters(pattern):
                by_letter.setdefault(letter, []).append(pattern)
        self._by_letter = {
            letter: re.compile(f"(?:{'|'.join(those)})", re.MULTILINE) for letter, those in by_letter.items()
        }

    def search(self, folded: str) -> bool:
        """Return whether a folded text holds one of the forms."""
        forms = self._by_letter
        return any(
            (form := forms.get(found[0])) is not None and form.match(folded, found.start())
            for found in _WORD_START.finditer(folded)
        )


def _first_letters(pattern: str) -> set[str]:
    """Return the letters that a match of a pattern may begin with."""
    if pattern.startswith("\\b"):
        return _first_letters(pattern[2:])
    if not pattern.startswith("(?:"):
        optional = pattern[1:2] == "?"
        return {pattern[0]} | (_first_letters(pattern[2:]) if optional else set())
    depth, ends, end = 0, [2], len(pattern)
    for at, char in enumerate(pattern):
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 1:
            ends.append(at)
        elif depth == 0:
            ends.append(at)
            end = at + 1
            break
    parts = [pattern[start + 1 : stop] for start, stop in pairwise(ends)]
    goes_on = pattern[end : end + 1] == "?" or any(part in ("", "^") or part.startswith("(?<=") for part in parts)
    letters = {
        letter
        for part in parts
        if part and part[0] not in "^" and not part.startswith("(?<=")
        for letter in _first_letters(part)
    }
    return letters | (_first_letters(pattern[end:].lstrip("?")) if goes_on else set())


@cache
def _orders() -> _Forms:
    return _Forms(pattern for lexicon in load_lexicons() for pattern in lexicon.web_pages.orders)


@cache
def _addresses() -> _Forms:
    return _Forms(pattern for lexicon in load_lexicons() for pattern in lexicon.web_pages.addresses)
