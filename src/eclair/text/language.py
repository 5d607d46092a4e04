"""Identifies a question's language if sure, and matches a model's languages.

Small words tell a language, such as `warum`, `jest` or `għala`. A word counts for every language that has it, the more
the fewer those are; so does a letter that few languages have, which counts against all others, and a mark such as `¿`.
Code, addresses, names and quotations tell nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from eclair.text.lexicon.loader import load_lexicon, load_lexicons

MAX_TEXT_CHARS = 4000
"""Of a longer text, the beginning is looked at."""

MIN_SCORE = 1.3
"""The least sum of the weights of a language's words; a word that no other language has counts 1."""

MAX_RUNNER_UP_RATIO = 0.62
MIN_SCORE_GAP = 0.9
"""The next language must come to less than this part of the first, or be so far below it."""

MIN_SCORE_PER_WORD = 0.12
"""Keeps a name or a quotation in a long text from deciding."""

_SAME_LANGUAGE = {"nb": "no", "nn": "no"}

_NO_PROSE = re.compile(
    r"""```.*?(?:```|\Z)|`[^`]*+`|„[^„“”]*+[“”]|“[^“”]*+”|"[^"\n]*+"|«[^«»]*+»|(?<!\w)['‘][^'‘’\n]*+['’](?!\w)""",
    re.DOTALL,
)
_NAME_OR_CODE = re.compile(r"[/\\=(){}<>;$_@]")
_WORD = re.compile(r"(?P<begins>(?:^|[.?!:¿¡\n])[^\S\n]*+)?(?P<word>[^\W\d_]++(?:['’-][^\W\d_]++)*+['’-]?)")


@cache
def language_names() -> dict[str, str]:
    """Return the English names of the languages that can be identified, by code."""
    return {lexicon.code: lexicon.name for lexicon in load_lexicons() if lexicon.name}


def identify_language(text: str) -> str | None:
    """Return the code of the language, one of `language_names()`; None where it isn't sure."""
    scores, words = Counter[str](), 0
    scripts, prose = _scripts(), _prose(text[:MAX_TEXT_CHARS])
    for mark, codes in _letter_languages().items():
        if not mark.isalpha() and mark in prose:
            _add_score(codes, scores)
    for match in _WORD.finditer(prose):
        word, words = match["word"].replace("’", "'"), words + 1
        script = next((code for code, letter in scripts if letter.match(word)), None)
        if script is not None:
            scores[script] += 1
        elif match["begins"] is not None or not word[0].isupper():  # else it is a name, or a noun that tells little
            _score_word(word.lower(), scores)
    (first, most), (_, next_most) = [*scores.most_common(2), ("", 0.0), ("", 0.0)][:2]
    apart = max(next_most, 0) <= MAX_RUNNER_UP_RATIO * most or most - next_most >= MIN_SCORE_GAP
    sure = most >= max(MIN_SCORE, MIN_SCORE_PER_WORD * words) and apart
    return first if sure and first in language_names() else None


def _prose(text: str) -> str:
    """Return a text without quotations, code, addresses and the like."""
    lines = _NO_PROSE.sub(" ", text.strip()).split("\n")
    return "\n".join(" ".join(word for word in line.split(" ") if not _NAME_OR_CODE.search(word)) for line in lines)


def is_small_word(word: str, code: str) -> bool:
    """Tell whether a word is one of the language's small words, which say little."""
    return code in _word_languages().get(word.lower(), ())


def is_foreign_word(word: str, code: str) -> bool:
    """Tell whether a word is a small word of other languages only."""
    languages = _word_languages().get(word.lower(), ())
    return bool(languages) and code not in languages


def lists_language(languages: Iterable[str], code: str) -> bool:
    """Tell whether a model that lists these BCP 47 tags knows the language, in whatever region; without a list, yes."""
    known = {_base_code(tag) for tag in languages}
    return not known or _base_code(code) in known


def capitalizes_nouns(code: str | None) -> bool:
    """Tell whether a language writes every noun with a capital letter, so that capitals don't tell names."""
    lexicon = load_lexicon(code) if code is not None else None
    return lexicon is not None and lexicon.grammar.capitalizes_nouns


def _base_code(tag: str) -> str:
    code = tag.lower().partition("-")[0]
    return _SAME_LANGUAGE.get(code, code)


def _score_word(word: str, scores: Counter[str]) -> None:
    words, letters = _word_languages(), _letter_languages()
    hits = {code for form in _forms(word) for code in words.get(form, ())}
    _add_score(hits, scores)
    rare = [letters[letter] for letter in set(word) if letter in letters]
    if rare:
        _add_score(min(rare, key=len), scores)
        for code in list(scores):
            scores[code] -= any(code not in codes for codes in rare)


def _add_score(codes: Iterable[str], scores: Counter[str]) -> None:
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
def _word_languages() -> dict[str, tuple[str, ...]]:
    """The languages that list each small word."""
    words: dict[str, tuple[str, ...]] = {}
    for lexicon in load_lexicons():
        for word in lexicon.identification.words:
            words[word] = (*words.get(word, ()), lexicon.code)
    return words


@cache
def _letter_languages() -> dict[str, tuple[str, ...]]:
    """The languages that list each rare letter."""
    letters: dict[str, tuple[str, ...]] = {}
    for lexicon in load_lexicons():
        for letter in lexicon.identification.letters:
            letters[letter] = (*letters.get(letter, ()), lexicon.code)
    return letters


@cache
def _scripts() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The languages that have a script of their own, each with a pattern of its letters."""
    return tuple(
        (lexicon.code, re.compile(f"[{lexicon.identification.script}]"))
        for lexicon in load_lexicons()
        if lexicon.identification.script
    )
