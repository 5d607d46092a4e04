"""The watermark of texts: a keyed choice among words, and the test for it. Pure; engines apply it.

A key colors the stem of every word, its first four letters, green or not, like a coin. An engine makes green words a
little likelier; in a long text there are then more of them than a coin would give. Only words in lower case count:
names, numbers, signs and code stay as they are, and so do the small words that every sentence needs. As a stem takes no
vocabulary, a text is tested without the model that wrote it, and inflections keep their color.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

from eclair.text.lexicon.loader import merge_words

STEM_LETTERS = 4
"""Letters that the words of one color share. Three would join too many, five leave out too many words."""

MIN_STEMS = 25
"""Different stems that a text must have; in shorter ones chance decides."""

MAX_FALSE_ALARMS = 1e-4
"""Share of other people's texts that are taken for ours, whatever the number of keys."""

MAX_TEXT_BYTES = 1 << 20

WatermarkVerdict = Literal["likely", "unknown"]

_WORD = re.compile(r"(?<!\S)[^\W\d_]{4,}")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})(.*)")
_INLINE_CODE = re.compile(r"`[^`\n]*`")


@cache
def _left_alone() -> frozenset[str]:
    """Return the stems of the small words of all languages."""
    small = (
        *merge_words(lambda lexicon: lexicon.grammar.stop_words),
        *merge_words(lambda lexicon: lexicon.identification.words),
        *merge_words(lambda lexicon: lexicon.negation.words),
        *merge_words(lambda lexicon: lexicon.negation.ambiguous),
    )
    return frozenset(word[:STEM_LETTERS] for word in small if len(word) >= STEM_LETTERS)


def stem_of(word: str) -> str | None:
    """Return the stem that decides a word's color; None for a word that has none."""
    if len(word) < STEM_LETTERS or not word.isalpha() or not word.islower():
        return None
    stem = word[:STEM_LETTERS]
    return None if stem in _left_alone() else stem


def is_green(key: bytes, stem: str) -> bool:
    """Return a stem's color under a key of at most 64 bytes."""
    return bool(hashlib.blake2b(stem.encode(), key=key, digest_size=1).digest()[0] & 1)


def green_tokens(words: Iterable[tuple[int, str]], key: bytes) -> list[int]:
    """Return the ids of the tokens to make likelier, from those that begin a word, with their letters.

    A word that begins a sentence is likelier with its capital letter too, or sentences would begin without one. A name,
    which no token has in lower case, isn't.
    """
    listed = [(id, unicodedata.normalize("NFC", word)) for id, word in words]
    known = {word for _, word in listed}
    colors: dict[str, bool] = {}
    green: list[int] = []
    for id, word in listed:
        plain = word.lower() if word.istitle() else word
        stem = stem_of(plain) if plain in known else None
        if stem is None:
            continue
        if stem not in colors:
            colors[stem] = is_green(key, stem)
        if colors[stem]:
            green.append(id)
    return green


def is_in_code(text: str) -> bool:
    """Return whether a Markdown text ends inside a block of code."""
    return _split_code(text)[1]


def find_stems(text: str) -> set[str]:
    """Return the different stems of a text, without those of its code."""
    prose = _INLINE_CODE.sub(" ", _split_code(unicodedata.normalize("NFC", text))[0])
    return {stem for word in _WORD.findall(prose) if (stem := stem_of(word)) is not None}


def detect_watermark(text: str, keys: Sequence[bytes]) -> WatermarkVerdict:
    """Return whether a text likely has the watermark of one of the keys."""
    stems = find_stems(text)
    if len(stems) < MIN_STEMS:
        return "unknown"
    chances = (chance_of(sum(is_green(key, stem) for stem in stems), len(stems)) for key in keys)
    return "likely" if any(chance * len(keys) <= MAX_FALSE_ALARMS for chance in chances) else "unknown"


def chance_of(green: int, stems: int) -> float:
    """Return the probability that at least `green` of `stems` fair coins fall so."""
    ways = sum(math.comb(stems, count) for count in range(green, stems + 1))
    return ways / 2**stems


def _split_code(text: str) -> tuple[str, bool]:
    """Return a text without its blocks of code, and whether it ends inside one."""
    prose: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match is None:
            if not fence:
                prose.append(line)
        elif not fence:
            fence = match[1]
        elif match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return "\n".join(prose), bool(fence)
