"""Turns text into the phonemes that the voices know: by a lexicon, by a model for unknown words, or by rules.

English is left to hibari, and the lexicons and the model of French and Italian are installed with the voices.
"""

from __future__ import annotations

import base64
import re
import sqlite3
import unicodedata
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from eclair.speech.pronunciation_rules import RULE_LANGUAGES, pronounce_by_rules

LEXICON_LANGUAGES = ("fr", "it")
ENGLISH_PACKAGE = "hibari.g2p"
"""Comes with the voices."""
PAUSE_SIGNS = ".,;:!?…—"
GUESSER_PACKAGE = "pycrfsuite"
"""Comes with the voices."""
MAX_WORD_CHARS = 60
MAX_CACHED_WORDS = 5000

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*['’]?|[.,;:!?…—]")
_IPA_TO_KOKORO = (
    *(("d͡ʒ", "ʤ"), ("t͡ʃ", "ʧ"), ("t͡s", "ʦ"), ("d͡z", "ʣ"), ("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ts", "ʦ"), ("dz", "ʣ")),
    *(("g", "ɡ"), ("ʝ", "j"), ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("\u0329", ""), ("\u032a", ""), ("-", "")),
)
_FRENCH_ELISIONS = {
    "l": "l", "d": "d", "j": "ʒ", "m": "m", "n": "n", "s": "s", "c": "s", "t": "t", "qu": "k",
    "jusqu": "ʒysk", "lorsqu": "lɔʁsk", "puisqu": "pɥisk", "aujourd": "oʒuʁd",
}  # fmt: skip
_FRENCH_SILENT_T = frozenset(("est", "sont", "font", "tout", "petit", "grand", "quand", "fait"))
_FRENCH_LIAISONS = {
    **dict.fromkeys(
        [
            "les",
            "des",
            "ces",
            "mes",
            "tes",
            "ses",
            "nos",
            "vos",
            "nous",
            "vous",
            "ils",
            "elles",
            "deux",
            "trois",
            "six",
            "dix",
            "dans",
            "sans",
            "très",
        ],
        "z",
    ),
    **dict.fromkeys(["mon", "ton", "son", "en", "on", "bien", "rien", "aucun"], "n"),
}
"""Consonants that are said before a vowel."""
_FRENCH_UNSTRESSED = frozenset(
    [
        "ce",
        "de",
        "je",
        "le",
        "me",
        "ne",
        "que",
        "se",
        "te",
        "la",
        "ma",
        "sa",
        "ta",
        "les",
        "des",
        "mes",
        "tes",
        "ses",
        "par",
        "pour",
        "sur",
        "et",
        "ou",
        "un",
        "une",
    ]
)
_FRENCH_VOWELS = frozenset("aeiouyàâäéèêëîïôöùûüœæ")


class Pronouncer(Protocol):
    """Knows how a text sounds."""

    def phonemes(self, text: str) -> str:
        """Return the phonemes of a text whose numbers are written out, with its pauses. Blocks."""
        ...


def open_pronouncer(locale: str, folder: Path) -> Pronouncer:
    """Open the pronunciations of a locale, such as en-GB, with the lexicons and models of a folder. Blocks."""
    language = locale.partition("-")[0]
    return EnglishPronunciation(is_british=locale == "en-GB") if language == "en" else Pronunciation(language, folder)


class EnglishPronunciation:
    """Pronunciations of English, American or British, which depend on a word's neighbours. Blocks."""

    def __init__(self, *, is_british: bool) -> None:
        package: Any = import_module(ENGLISH_PACKAGE)
        self._pronounce: Any = package.G2P(british=is_british)

    def phonemes(self, text: str) -> str:
        return self._pronounce(text)


class Pronunciation:
    """Pronunciations of one language, whose lexicon and model are in `folder` where it has them. Blocks."""

    def __init__(self, language: str, folder: Path) -> None:
        self._language = language
        self._lexicon: sqlite3.Connection | None = None
        self._model: Any = None
        if language in LEXICON_LANGUAGES:
            self._lexicon = sqlite3.connect(f"file:{folder / language}.db?immutable=1", uri=True)
            if language not in RULE_LANGUAGES:
                pycrfsuite: Any = import_module(GUESSER_PACKAGE)

                self._model = pycrfsuite.Tagger()
                self._model.open(str(folder / f"{language}.crf"))
        self._pronounce = lru_cache(MAX_CACHED_WORDS)(self._pronounce_word)

    def phonemes(self, text: str) -> str:
        tokens = _TOKEN.findall(unicodedata.normalize("NFC", text))
        found: list[str] = []
        for at, token in enumerate(tokens):
            if token in PAUSE_SIGNS:
                if found:
                    found[-1] += token
                continue
            said = self._pronounce(token.lower().replace("’", "'")[:MAX_WORD_CHARS])
            following = tokens[at + 1].lower() if at + 1 < len(tokens) else ""
            if self._language == "fr":
                said = _with_liaison(token.lower(), said, following)
            found.append(said)
        return self._to_kokoro(" ".join(found))

    def _to_kokoro(self, phonemes: str) -> str:
        said = unicodedata.normalize("NFD", phonemes)
        for ipa, sign in _IPA_TO_KOKORO:
            said = said.replace(ipa, sign)
        return said

    def _pronounce_word(self, word: str) -> str:
        if known := self._look_up(word):
            return known
        head, mark, rest = word.partition("'")
        if mark and self._language == "fr" and head in _FRENCH_ELISIONS:
            return _FRENCH_ELISIONS[head] + (self._pronounce(rest) if rest else "")
        if mark and self._language == "it":
            return pronounce_by_rules(head, "it").replace("ˈ", "") + (self._pronounce(rest) if rest else "")
        if "-" in word:
            return " ".join(self._pronounce(part) for part in word.split("-") if part)
        if self._language in RULE_LANGUAGES:
            return pronounce_by_rules(word, self._language)
        return "".join(self._guess(word.strip("'")))

    def _look_up(self, word: str) -> str | None:
        if self._lexicon is None:
            return None
        row = self._lexicon.execute(
            "SELECT phonemes FROM word_phonemes WHERE word = ? ORDER BY pron_order LIMIT 1", (word,)
        ).fetchone()
        return row[0].replace(" ", "") if row else None

    def _guess(self, word: str) -> list[str]:
        """Guess the phonemes of an unknown word, letter by letter."""
        labels: list[str] = self._model.tag([_features(word, at) for at in range(len(word))]) if word else []
        sounds = (base64.b64decode(label).decode() for label in labels)
        return [sound for group in sounds for sound in group.split("|") if sound != "_"]


def _with_liaison(word: str, said: str, following: str) -> str:
    """Say or leave out a final consonant, as the next word begins."""
    said = said.removesuffix("-")
    if word in _FRENCH_UNSTRESSED:
        said = said.replace("ˈ", "")
    joins = following[:1] in _FRENCH_VOWELS and following != ""
    if word in _FRENCH_SILENT_T or word.endswith(("ait", "aient", "ont")):
        said = said.removesuffix("t") + ("t" if joins else "")
    elif said.endswith("z") and word.endswith("s") and not word.endswith(("ses", "zes")):
        said = said if joins else said[:-1]
    elif word == "un":
        said = "œ̃n" if joins else "œ̃"
    elif joins and word in _FRENCH_LIAISONS:
        said += _FRENCH_LIAISONS[word]
    return said


def _features(word: str, at: int) -> dict[str, Any]:
    """Describe a letter and its neighbours as the model knows them, in base64."""
    features: dict[str, Any] = {"bias": 1.0, "grapheme": _encode(word[at])}
    if at == 0:
        features["begin"] = True
    for distance in range(1, 4):
        if at >= distance:
            features[f"grapheme-{distance}"] = _encode(word[at - distance])
        if at + distance < len(word):
            features[f"grapheme+{distance}"] = _encode(word[at + distance])
    if at == len(word) - 1:
        features["end"] = True
    return features


def _encode(letter: str) -> str:
    return base64.b64encode(letter.encode()).decode("ascii")
