"""Pronunciation by rules, of the languages that are written as they are spoken: Spanish, Italian and Portuguese.

The phonemes are IPA with the stress before the vowel, as Kokoro's voices know them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STRESS = "ˈ"

Rule = tuple[re.Pattern[str], str]
"""A pattern at the present place of a word, and the phonemes for what it matched."""

_VOWELS = frozenset("aeiouɛɔɐəɪʊ")
_SEMIVOWELS = frozenset("jw")
_ACCENTS = "\u0301\u0300\u0302"


def _rules(*pairs: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), phonemes) for pattern, phonemes in pairs)


_SPANISH = _rules(
    ("ch", "ʧ"),
    ("ll", "ʎ"),
    ("rr", "r"),
    ("qu(?=[eiéí])", "k"),
    ("gu(?=[eiéí])", "ɡ"),
    ("gü", "ɡw"),
    ("c(?=[eiéí])", "θ"),
    ("g(?=[eiéí])", "x"),
    ("[cqk]", "k"),
    ("z", "θ"),
    ("j", "x"),
    ("ñ", "ɲ"),
    ("h", ""),
    (r"(?<=[aeiouáéíóú])[bv](?=[aeiouáéíóúlr])", "β"),
    ("[bv]", "b"),
    (r"(?<=[aeiouáéíóú])d(?=[aeiouáéíóúr])", "ð"),
    (r"(?<=[aeiouáéíóú])g(?=[aouáóúlr])", "ɣ"),
    ("g", "ɡ"),
    (r"(?:^|(?<=[nls]))r", "r"),
    ("r", "ɾ"),
    ("x", "ks"),
    ("y$", "i"),
    ("y", "j"),
    (r"[iy](?=[aeoáéó])", "j"),
    (r"(?<=[aeoáéó])i(?![aeoáéó])", "ɪ"),
    (r"u(?=[aeioáéíó])", "w"),
    (r"(?<=[aeoáéó])u(?![aeoáéó])", "ʊ"),
    ("ü", "u"),
)

_ITALIAN = _rules(
    ("gli(?=[aeou])", "ʎ"),
    ("gli", "ʎi"),
    ("gn", "ɲ"),
    ("sci(?=[aeou])", "ʃ"),
    ("sc(?=[eièéìí])", "ʃ"),
    ("cch", "kː"),
    ("cci(?=[aeouàòù])", "ʧː"),
    ("cc(?=[eièéì])", "ʧː"),
    ("ggh", "ɡː"),
    ("ggi(?=[aeouàòù])", "ʤː"),
    ("gg(?=[eièéì])", "ʤː"),
    ("ch", "k"),
    ("gh", "ɡ"),
    ("ci(?=[aeouàòù])", "ʧ"),
    ("c(?=[eièéì])", "ʧ"),
    ("gi(?=[aeouàòù])", "ʤ"),
    ("g(?=[eièéì])", "ʤ"),
    ("cqu", "kːw"),
    ("qu", "kw"),
    ("zz", "ʦː"),
    ("^z", "ʣ"),
    ("z", "ʦ"),
    ("h", ""),
    (r"(?<=[aeiouàèéìòù])s(?=[aeiouàèéìòùbdglmnrv])", "z"),
    (r"([bcdfglmnprstv])\1", r"\1ː"),
    ("[ck]", "k"),
    ("g", "ɡ"),
    ("[jy]", "j"),
    ("x", "ks"),
    ("i(?=[aeouàèéòù])", "j"),
    ("u(?=[aeiàèéìoò])", "w"),
)

_PORTUGUESE = _rules(
    ("nh", "ɲ"),
    ("lh", "ʎ"),
    ("ch", "ʃ"),
    ("rr", "x"),
    ("^r", "x"),
    ("(?<=[nls])r", "x"),
    ("r", "ɾ"),
    ("sc(?=[eiéíê])", "s"),
    ("xc(?=[eiéíê])", "s"),
    ("ss", "s"),
    ("ç", "s"),
    ("c(?=[eiéíê])", "s"),
    ("g(?=[eiéíê])", "ʒ"),
    ("qu(?=[eiéíê])", "k"),
    ("gu(?=[eiéíê])", "ɡ"),
    ("qu", "kw"),
    ("gu(?=[aoáó])", "ɡw"),
    ("[cqk]", "k"),
    ("g", "ɡ"),
    ("j", "ʒ"),
    ("^ex(?=[aeiouáéíóú])", "ez"),
    ("x", "ʃ"),
    ("h", ""),
    (r"(?<=[aeiouáéíóúâêôãõ])s(?=[aeiouáéíóúâêôãõ])", "z"),
    ("z$", "s"),
    ("l(?=[^aeiouáéíóúâêôãõ]|$)", "ʊ"),
    ("t(?=[ií])", "ʧ"),
    ("te(?=s?$)", "ʧɪ"),
    ("d(?=[ií])", "ʤ"),
    ("de(?=s?$)", "ʤɪ"),
    ("ão", "ˈɐ̃ʊ̃"),
    ("õe", "ˈoɪ̃"),
    ("ãe", "ˈɐ̃ɪ̃"),
    ("ã", "ˈɐ̃"),
    ("am$", "ɐ̃ʊ̃"),
    ("[eê]m$", "eɪ̃"),
    ("ém$", "ˈeɪ̃"),
    ("ens$", "eɪ̃s"),
    ("[aâ][mn](?=[^aeiouáéíóúâêôãõhmn]|$)", "ɐ̃"),
    ("[eê][mn](?=[^aeiouáéíóúâêôãõhmn]|$)", "e\u0303"),
    ("[ií][mn](?=[^aeiouáéíóúâêôãõhmn]|$)", "i\u0303"),
    ("[oô][mn](?=[^aeiouáéíóúâêôãõhmn]|$)", "o\u0303"),
    ("[uú][mn](?=[^aeiouáéíóúâêôãõhmn]|$)", "u\u0303"),
    ("ou", "oʊ"),
    ("ei", "eɪ"),
    ("ai", "aɪ"),
    ("oi", "oɪ"),
    ("au", "aʊ"),
    ("eu", "eʊ"),
    ("iu$", "iʊ"),
    (r"i(?=[aeoáéóã])", "j"),
    ("é", "ˈɛ"),
    ("ó", "ˈɔ"),
    ("â", "ˈɐ"),
    ("o(?=s?$)", "ʊ"),
    ("e(?=s?$)", "ɪ"),
    ("a(?=s?$)", "ɐ"),
)


@dataclass(frozen=True, slots=True)
class _Writing:
    """A language's rules, the endings of words that stress their last syllable, and words that have no stress."""

    rules: Sequence[Rule]
    stresses_last: re.Pattern[str]
    unstressed: frozenset[str]
    whole: Mapping[str, str]


_LANGUAGES = {
    "es": _Writing(
        _SPANISH,
        re.compile(r"[^aeiouns]$|[aeiou]y$"),
        frozenset(
            [
                "a",
                "al",
                "con",
                "de",
                "del",
                "el",
                "en",
                "la",
                "las",
                "le",
                "les",
                "lo",
                "los",
                "me",
                "mi",
                "ni",
                "o",
                "por",
                "que",
                "se",
                "si",
                "sin",
                "su",
                "sus",
                "te",
                "tu",
                "un",
                "y",
            ]
        ),
        {"y": "i", "e": "e", "o": "o", "u": "u"},
    ),
    "it": _Writing(
        _ITALIAN,
        re.compile(r"[bcdfglmprstvz]$"),
        frozenset(
            [
                "a",
                "ad",
                "al",
                "con",
                "da",
                "del",
                "di",
                "e",
                "ed",
                "gli",
                "i",
                "il",
                "in",
                "la",
                "le",
                "lo",
                "ma",
                "mi",
                "ne",
                "o",
                "per",
                "se",
                "si",
                "su",
                "ti",
                "un",
                "una",
            ]
        ),
        {"è": "ˈɛ"},
    ),
    "pt": _Writing(
        _PORTUGUESE,
        re.compile(r"(?:[ilruzxn]|[iu]s|[iu]m|[iu]ns)$"),
        frozenset(
            [
                "a",
                "ao",
                "as",
                "com",
                "da",
                "das",
                "de",
                "do",
                "dos",
                "e",
                "em",
                "já",
                "me",
                "na",
                "nas",
                "no",
                "nos",
                "o",
                "os",
                "ou",
                "por",
                "que",
                "se",
                "sem",
                "um",
            ]
        ),
        {"e": "i", "o": "ʊ", "os": "ʊs", "a": "a", "as": "as", "é": "ˈɛ", "que": "kɪ", "se": "sɪ", "um": "u\u0303"},
    ),
}

RULE_LANGUAGES = frozenset(_LANGUAGES)


def pronounce_by_rules(word: str, language: str) -> str:
    """Return the phonemes of a lower-case word in one of `RULE_LANGUAGES`."""
    writing = _LANGUAGES[language]
    if word in writing.whole:
        return writing.whole[word]
    phonemes = _bare(_apply(word, writing.rules))
    if STRESS in phonemes or word in writing.unstressed:
        return phonemes
    return _stress(phonemes, last=writing.stresses_last.search(word) is not None)


def _apply(word: str, rules: Sequence[Rule]) -> str:
    found: list[str] = []
    at = 0
    while at < len(word):
        for pattern, phonemes in rules:
            if (match := pattern.match(word, at)) and match.end() > at:
                found.append(match.expand(phonemes))
                at = match.end()
                break
        else:
            found.append(word[at])
            at += 1
    return "".join(found)


def _bare(phonemes: str) -> str:
    """Turn accents that remain into stress, and leave out other marks but the tilde."""
    out: list[str] = []
    for letter in unicodedata.normalize("NFD", phonemes):
        if letter in _ACCENTS:
            out.insert(len(out) - 1, STRESS)
        elif letter == "\u0303" or not unicodedata.combining(letter):
            out.append(letter)
    first = "".join(out).find(STRESS)
    said = "".join(out)
    return said if first < 0 else said[: first + 1] + said[first + 1 :].replace(STRESS, "")


def _stress(phonemes: str, *, last: bool) -> str:
    """Put the stress before the vowel of the last syllable, or of the last but one."""
    nuclei = [at for at, sound in enumerate(phonemes) if _is_nucleus(phonemes, at, sound)]
    if len(nuclei) < 2:
        return f"{phonemes[: nuclei[0]]}{STRESS}{phonemes[nuclei[0] :]}" if nuclei else phonemes
    at = nuclei[-1] if last else nuclei[-2]
    return phonemes[:at] + STRESS + phonemes[at:]


def _is_nucleus(phonemes: str, at: int, sound: str) -> bool:
    glides = sound in "ɪʊ" and at > 0 and (phonemes[at - 1] in _VOWELS or phonemes[at - 1] == "\u0303")
    return sound in _VOWELS and not glides


Pronounce = Callable[[str], str]
