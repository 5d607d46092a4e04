"""Which language a question is written in, told only where that is sure; and whether a model lists it.

Small words tell a language, such as `warum`, `jest` or `għala`. A word counts for every language that has it, the more
the fewer those are; so does a letter that few languages have, which counts against all others. Code, addresses, names
and what stands in quotation marks tell nothing. `languages.toml` has the words and letters.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import resources

READ = 4000
"""Characters of a text that are looked at."""

LEAST = 1.3
"""What the words of a language must come to: one that it alone has counts 1."""

RATIO = 0.62
APART = 0.9
"""The next language must come to less than this part of the first, or be so far below it."""

SPARSE = 0.12
"""What a word must come to on average, so that a name or a quotation in a long text does not decide."""

UNTOLD = {"mk"}
"""Languages that are known only so that they are not taken for another; this one stands for Serbian too."""

SAME = {"nb": "no", "nn": "no"}

ENGLISH = {
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "hr": "Croatian",
    "hu": "Hungarian",
    "is": "Icelandic",
    "it": "Italian",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mt": "Maltese",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
}
"""The names of the languages that can be told."""

_NO_PROSE = re.compile(
    r"""```.*?(?:```|\Z)|`[^`]*`|https?://\S+|\S+@\S+|\S*[/\\=(){}<>;$_]\S*
    |„[^“”]*[“”]|“[^”]*”|"[^"\n]*"|«[^»]*»|(?<!\w)['‘][^'’\n]*['’](?!\w)""",
    re.DOTALL | re.VERBOSE,
)
_WORD = re.compile(r"(?P<begins>(?:^|[.?!:¿¡\n])\s*)?(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*['’-]?)")
_GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")


def language_of(text: str) -> str | None:
    """The code of the language, one of ENGLISH; None where it cannot be told for sure."""
    scores, words = Counter[str](), 0
    for match in _WORD.finditer(_NO_PROSE.sub(" ", text[:READ].strip())):
        word, words = match["word"].replace("’", "'"), words + 1
        if _GREEK.match(word):
            scores["el"] += 1
        elif match["begins"] is not None or not word[0].isupper():  # else it is a name, or a noun that tells little
            _weigh(word.lower(), scores)
    (first, most), (_, next) = [*scores.most_common(2), ("", 0.0), ("", 0.0)][:2]
    apart = max(next, 0) <= RATIO * most or most - next >= APART
    return first if most >= max(LEAST, SPARSE * words) and apart and first not in UNTOLD else None


def is_small(word: str, code: str) -> bool:
    """Whether it is one of the small words of that language, which say little."""
    return code in _table()[0].get(word.lower(), ())


def lists(languages: Iterable[str], code: str) -> bool:
    """Whether a model that lists these BCP 47 tags knows the language, whatever its region; one that lists none may."""
    known = {_plain(tag) for tag in languages}
    return not known or _plain(code) in known


def _plain(tag: str) -> str:
    code = tag.lower().partition("-")[0]
    return SAME.get(code, code)


def _weigh(word: str, scores: Counter[str]) -> None:
    words, letters = _table()
    hits = {code for form in _forms(word) for code in words.get(form, ())}
    _add(hits, scores)
    rare = [letters[letter] for letter in set(word) if letter in letters]
    if rare:
        _add(min(rare, key=len), scores)
        for code in list(scores):
            scores[code] -= any(code not in codes for codes in rare)


def _add(codes: Iterable[str], scores: Counter[str]) -> None:
    among = set(codes)
    for code in among:
        scores[code] += 1 / len(among) ** 0.5


def _forms(word: str) -> set[str]:
    """The word, and what its elision or hyphen joins: `l'acqua` holds `l'` and `acqua`."""
    forms = {word}
    for mark in "'-":
        before, joined, after = word.partition(mark)
        if joined:
            forms |= {before + mark, after, before}
    return forms


@cache
def _table() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The languages of each word, and of each letter that few have."""
    table = tomllib.loads(resources.files("eclair.text").joinpath("languages.toml").read_text("utf-8"))
    words: dict[str, tuple[str, ...]] = {}
    for code, listed in table["words"].items():
        for word in listed.split():
            words[word] = (*words.get(word, ()), code)
    letters = {letter: tuple(codes.split()) for alike, codes in table["letters"].items() for letter in alike}
    return words, letters
