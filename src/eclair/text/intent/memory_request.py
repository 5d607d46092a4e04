"""Detect requests to remember a fact, such as `Remember that my office is in Lyon`, in any language of the Union.

Only the beginning of a short message counts: what is pasted below it, or into a long one, may be foreign text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources

import orjson

from eclair.text.sentences import ends_with_question_mark, split_sentences
from eclair.text.terms import fold_text

MAX_MESSAGE_CHARS = 600
"""Of a message that is read as a request; one that is longer holds more than that."""
MAX_SPACES = 3


def find_memory_request(message: str) -> str | None:
    """Return the sentence that a message asks to keep, in its own words; None if it asks for no such thing."""
    text = unicodedata.normalize("NFC", message).strip()
    if len(text) > MAX_MESSAGE_CHARS:
        return None
    found = _request().match(text)
    if found is None:
        return None
    rest = text[found.end() :].lstrip().partition("\n")[0]
    rest = found["start"] + rest if found["start"] else rest
    spans = split_sentences(rest)
    if not spans:
        return None
    sentence = " ".join(rest[slice(*spans[0])].split())
    if ends_with_question_mark(sentence) or len(sentence.split()) < 2:
        return None
    return sentence[0].upper() + sentence[1:]


@cache
def _request() -> re.Pattern[str]:
    """Match the words that ask; the group `start` is what the kept sentence begins with."""
    languages = orjson.loads((resources.files("eclair.text.intent") / "memory_requests.json").read_bytes())
    courtesies = _with_plain(word for rules in languages.values() for word in rules["courtesies"])
    polite = rf"(?:(?:{'|'.join(map(_flexible, courtesies))})[,!]?\s{{1,{MAX_SPACES}}})?"
    asked: dict[str, list[str]] = {}
    for rules in languages.values():
        for opening in rules["openings"]:
            ask, _, start = opening.partition("|")
            asked.setdefault(start, []).extend(_with_plain([ask]))
    forms = [
        rf"(?:{'|'.join(map(_flexible, _longest_first(asks)))})(?={_flexible(start)})" for start, asks in asked.items()
    ]
    starts = "|".join(_flexible(start) for start in _longest_first(asked) if start)
    return re.compile(rf"{polite}(?:{'|'.join(forms)})(?P<start>(?:{starts})?)", re.IGNORECASE)


def _with_plain(words: Iterable[str]) -> list[str]:
    """Return words longest first, also as they are written without accents."""
    listed = list(words)
    return _longest_first({*listed, *(fold_text(word) for word in listed)})


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(set(words), key=lambda word: (-len(word), word))


def _flexible(words: str) -> str:
    """Return a pattern of words with any space between them, and commas or not."""
    escaped = re.escape(unicodedata.normalize("NFC", words))
    return escaped.replace(",\\ ", rf",?\s{{1,{MAX_SPACES}}}").replace("\\ ", rf"\s{{1,{MAX_SPACES}}}")
