"""Detect sentences that may tell something of a special category (Art. 9 and 10 of the GDPR), such as health or faith.

Words stand for meaning here, and a word too many is better than one too few: what is refused can be written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

import orjson

from eclair.text.language import identify_language
from eclair.text.terms import fold_text

MIN_ANY_LANGUAGE_CHARS = 5
"""Shorter beginnings of words mean something else in another language, so they count in their own alone."""


def may_be_special_category(text: str) -> bool:
    """Tell whether a sentence may be about health, faith, politics, unions, sexuality, origin, genes or crime."""
    folded = fold_text(text)
    language = identify_language(text)
    if _any_language().search(folded) is not None:
        return True
    own = _of_language(language) if language is not None else None
    return own is not None and own.search(folded) is not None


@cache
def _load() -> dict[str, list[str]]:
    return orjson.loads((resources.files("eclair.text.intent") / "special_categories.json").read_bytes())


@cache
def _any_language() -> re.Pattern[str]:
    return _starting_with(
        stem for stems in _load().values() for stem in stems if len(fold_text(stem)) >= MIN_ANY_LANGUAGE_CHARS
    )


@cache
def _of_language(code: str) -> re.Pattern[str] | None:
    stems = _load().get(code)
    return None if stems is None else _starting_with(stems)


def _starting_with(words: Iterable[str]) -> re.Pattern[str]:
    """Match one of these beginnings of words; one of up to three letters is the whole word."""
    stems = sorted({fold_text(word) for word in words}, key=lambda stem: (-len(stem), stem))
    parts = [rf"{re.escape(stem)}\b" if len(stem) <= 3 else re.escape(stem) for stem in stems]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})")
