"""Split text into words, each with a stem that its inflections share."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from eclair.text.lexicon.loader import merge_literals, merge_words

MIN_STEM_CHARS = 4
MAX_STEM_CHARS = 7
MIN_COMPOUND_PART_CHARS = 5
"""A word of so many letters counts where a longer one contains it."""

MIN_SHARED_SHARE = 0.55
"""Two words that begin alike are taken for one if the shorter has this share of the other's letters."""

STOP_LOOKBACK_CHARS = 6
TITLE_LOOKBACK_CHARS = 12

_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED_SCRIPT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_TITLE = re.compile(r"\b([^\W\d_]{2,8})\.[ \u00a0]\Z")
_STOPS = frozenset(".!?:…")


@dataclass(frozen=True, slots=True)
class Term:
    """A word at characters `start` to `end`. `key` is its folded text, `stem` what its inflections share."""

    text: str
    key: str
    stem: str
    start: int
    end: int
    starts_sentence: bool

    @property
    def is_capitalized(self) -> bool:
        return self.text[0].isupper()


def fold_text(text: str) -> str:
    """Return the text without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def match_key(text: str) -> str:
    """Return a key of what a pattern matched regardless of case, for which `ı` is an `i`."""
    return fold_text(text).replace("ı", "i")


def split_terms(text: str) -> tuple[Term, ...]:
    """Return the words of a text; of a script without spaces between words, every pair of characters."""
    terms: list[Term] = []
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        if _UNSPACED_SCRIPT.search(word):
            pairs = [word[at : at + 2] for at in range(max(1, len(word) - 1))]
            terms += [
                Term(pair, pair, pair, start + at, start + at + len(pair), False) for at, pair in enumerate(pairs)
            ]
            continue
        key, stem = _key_and_stem(word)
        starts_sentence = _starts_sentence(text, start)
        terms.append(Term(word, key, stem, start, match.end(), starts_sentence))
    return tuple(terms)


def _starts_sentence(text: str, start: int) -> bool:
    """Tell whether only signs stand between a word and the stop before it, or the beginning of the text."""
    for character in reversed(text[max(0, start - STOP_LOOKBACK_CHARS) : start]):
        if character in _STOPS:
            return character != "." or not _ends_with_title(text[max(0, start - TITLE_LOOKBACK_CHARS) : start])
        if character.isalnum():
            return False
    return start <= STOP_LOOKBACK_CHARS


def _ends_with_title(text: str) -> bool:
    """Tell whether a text ends with an abbreviation that stands before names, such as `Dr.`."""
    found = _TITLE.search(text)
    return found is not None and found[1].casefold() in _titles()


@cache
def _titles() -> frozenset[str]:
    return merge_words(lambda lexicon: lexicon.sentences.abbreviations)


@lru_cache(maxsize=50_000)
def strip_ending(key: str) -> str:
    """Return a folded word without its inflectional ending; longer than its stem, which compounds may share."""
    bare = _endings().sub("", key)
    return bare if len(bare) >= MIN_STEM_CHARS else key


def share_word(one: Term, other: Term) -> bool:
    """Tell whether two words are forms of the same, or one is a compound with the other."""
    if one.stem == other.stem:
        return True
    mine, theirs = strip_ending(one.key), strip_ending(other.key)
    if len(mine) >= MIN_COMPOUND_PART_CHARS and mine in other.key:
        return True
    if len(theirs) >= MIN_COMPOUND_PART_CHARS and theirs in one.key:
        return True
    short, long = sorted((len(mine), len(theirs)))
    begins = 4 if short < 6 else 5
    return short >= 4 and mine[:begins] == theirs[:begins] and short >= MIN_SHARED_SHARE * long


def is_content_word(term: Term) -> bool:
    """Tell whether a word says something by itself, as stop words and negations don't."""
    return (len(term.key) > 1 or term.is_capitalized) and term.key not in _stop_words()


@cache
def unambiguous_negations() -> frozenset[str]:
    """Return the words that negate in one language and mean nothing else in another."""
    words = merge_words(lambda lexicon: lexicon.negation.words)
    return words - merge_words(lambda lexicon: lexicon.negation.ambiguous)


@lru_cache(maxsize=50_000)
def _key_and_stem(word: str) -> tuple[str, str]:
    key = fold_text(word)
    if len(key) <= MIN_STEM_CHARS:
        return key, key
    bare = _endings().sub("", key)
    return key, bare[:MAX_STEM_CHARS] if len(bare) >= MIN_STEM_CHARS else key[:MIN_STEM_CHARS]


@cache
def _stop_words() -> frozenset[str]:
    listed = merge_words(lambda lexicon: lexicon.grammar.stop_words)
    return frozenset(map(fold_text, listed | unambiguous_negations()))


@cache
def _endings() -> re.Pattern[str]:
    return re.compile(rf"(?:{merge_literals(lambda lexicon: lexicon.grammar.endings)})\Z")
