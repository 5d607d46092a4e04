"""Words find pictures: by the names that Unicode gives them in a language, in whatever form they are bent to."""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from eclair.images.backends.clipart.book import Book, book
from eclair.images.backends.clipart.folding import folded
from eclair.images.backends.clipart.grammar import LONGEST, Token

OURS, LABEL, KEYWORD = 13.0, 10.0, 3.0
"""What a word weighs that `lexicon.toml` has, that is a picture's label, or one of its keywords."""

COMPOUNDING = {"de", "nl", "da", "no", "sv", "is", "fi", "et", "hu"}
"""Languages that write compounds as one word, whose last part says what it is."""

_GROUPS = {"Smileys & Emotion": -2.5, "Symbols": -1.5, "Flags": -2.5, "People & Body": -0.7, "Objects": 0.2}
_SIGN = re.compile(r".\ufe0f?(?:\u200d.\ufe0f?)*", re.DOTALL)
_ENDINGS: dict[str, tuple[str, ...]] = {
    "en": ("s", "es"),
    "de": ("e", "n", "en", "er", "s", "es", "ern", "em"),
    "fr": ("s", "x", "es", "e"),
    "nl": ("en", "s", "e", "n", "je", "jes", "tje", "tjes"),
    "es": ("s", "es"),
    "pt": ("s", "es"),
    "da": ("en", "et", "er", "e", "ne", "erne", "r"),
    "no": ("en", "et", "er", "a", "ene", "e", "r"),
    "sv": ("en", "et", "ar", "er", "or", "n", "na", "arna", "orna"),
}
_SMALL = {"de": ("chen", "lein"), "nl": ("tje", "je"), "es": ("ito", "ita"), "it": ("ino", "ina")}
_IRREGULAR = {
    "mice": "mouse",
    "geese": "goose",
    "children": "child",
    "men": "man",
    "women": "woman",
    "wolves": "wolf",
    "leaves": "leaf",
    "knives": "knife",
    "teeth": "tooth",
    "feet": "foot",
    "loaves": "loaf",
    "puppies": "puppy",
}
_JOINTS = ("", "s", "n", "en", "es", "e", "er")
_SHORTEST = 4
"""Letters that two words must share from the first for one to be taken as a form of the other."""


@dataclass(frozen=True, slots=True)
class Found:
    """`length` words mean this picture. `several` says that they are more than one thing, `small` that it is a small
    one, and `weight` how sure it is: LABEL or more for its name."""

    icon: int
    length: int
    weight: float
    several: bool = False
    small: bool = False


class Dictionary:
    """The names of pictures in one language."""

    def __init__(self, book: Book, language: str) -> None:
        self.language = language
        self._best = _best(book, language)

    def find(self, tokens: Sequence[Token], at: int) -> Found | None:
        """The picture that the words from there on mean, by the longest phrase that means one."""
        for length in range(min(LONGEST, len(tokens) - at), 0, -1):
            words = tokens[at : at + length]
            if (found := self._phrase([token.folded for token in words])) is not None:
                return found
        return self._compound(tokens[at].folded) or self._bent(tokens[at].folded)

    def exact(self, word: str) -> float:
        """What the word weighs as it stands."""
        return self._best[word][1] if word in self._best else 0.0

    def _phrase(self, words: list[str]) -> Found | None:
        whole = " ".join(words)
        exact = None
        if whole in self._best:
            icon, weight = self._best[whole]
            exact = Found(icon, len(words), weight, self._plural(words[-1]))
        if len(words) > 2 or (exact is not None and exact.weight >= OURS):
            return exact
        bent = self._bent_phrase(words, whole)
        return bent if bent is not None and (exact is None or bent.weight > exact.weight) else exact

    def _bent_phrase(self, words: list[str], whole: str) -> Found | None:
        firsts = [words[0], *self._forms(words[0])] if len(words) == 2 else [""]
        for first in firsts:
            for last in (words[-1], *self._forms(words[-1])):
                form = f"{first} {last}".strip()
                if form != whole and form in self._best:
                    icon, weight = self._best[form]
                    small = any(words[-1].endswith(ending) for ending in _SMALL.get(self.language, ()))
                    return Found(icon, len(words), weight - 1, not small and last != words[-1], small)
        return None

    def _plural(self, word: str) -> bool:
        """Whether its singular is known too: `cats` is among the keywords of a cat."""
        if self.language not in ("en", "fr", "es", "pt") or len(word) < 4 or word.endswith("ss"):
            return word in _IRREGULAR
        return word in _IRREGULAR or any(form in self._best for form in self._forms(word))

    def _forms(self, word: str) -> Iterator[str]:
        """What the word may be a form of."""
        if self.language == "en" and word in _IRREGULAR:
            yield _IRREGULAR[word]
        if self.language == "en" and word.endswith("ies"):
            yield word[:-3] + "y"
        if self.language == "fr" and word.endswith("aux"):
            yield from (word[:-3] + "al", word[:-1])
        for ending in _ENDINGS.get(self.language, ()):
            if word.endswith(ending) and len(word) - len(ending) >= 2:
                yield word[: -len(ending)]
        for ending in _SMALL.get(self.language, ()):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                yield word[: -len(ending)]
        if self.language == "de":  # die Blumen, the keyword is Blume; das Auge, die Augen
            yield from (word + "e", word + "n") if len(word) > 3 else ()

    def _compound(self, word: str) -> Found | None:
        """By its last part, where the first is known too, or where the last is long enough to be meant."""
        if self.language not in COMPOUNDING:
            return None
        for at in range(3, len(word) - 2):
            last = self._phrase([word[at:]])
            if last is None or last.weight < LABEL - 1:
                continue
            first = word[:at]
            known = any(first.endswith(joint) and first[: len(first) - len(joint)] in self._best for joint in _JOINTS)
            if (known and len(word) - at >= 3) or (len(word) - at >= 5 and last.weight >= LABEL):
                return Found(last.icon, 1, 6.0 if known else 5.0, last.several)
        return None

    def _bent(self, word: str) -> Found | None:
        """The word that begins alike, where both differ in an ending alone."""
        if self.language in ("en", "fr") or len(word) < _SHORTEST:
            return None
        stem = word[: max(_SHORTEST - 1, len(word) - 3)]
        start = bisect.bisect_left(self._sorted, stem)
        best: tuple[float, Found] | None = None
        for other in self._sorted[start : start + 400]:
            if not other.startswith(stem):
                break
            shared = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), None)
            shared = min(len(word), len(other)) if shared is None else shared
            rest = (len(word) - shared, len(other) - shared)
            icon, weight = self._best[other]
            least = 3 if shared == len(other) and rest[0] <= 2 and weight >= LABEL - 1 else _SHORTEST
            if " " in other or max(rest) > 3 or shared < max(least, len(other) - 2):
                continue
            score = weight - 2 * sum(rest)
            if weight >= 4 and (best is None or score > best[0]):
                best = score, Found(icon, 1, 4.0)
        return best[1] if best else None

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._best)


@cache
def dictionary(language: str) -> Dictionary:
    return Dictionary(book(), language)


def signs(text: str) -> Iterable[str]:
    """The characters of a row of pictures, each with what joins it."""
    return _SIGN.findall(text)


@cache
def lexicon() -> dict[str, Any]:
    text = resources.files("eclair.images.backends.clipart").joinpath("lexicon.toml").read_text("utf-8")
    return tomllib.loads(text)


def _best(book: Book, language: str) -> dict[str, tuple[int, float]]:
    """The picture that each phrase means first of all."""
    favoured = {book.number(sign): order for order, sign in enumerate(signs(lexicon()["favoured"]))}
    unfit = {book.number(sign) for sign in signs(lexicon()["unfit"])}
    names = book.names(language)
    parts: dict[int, set[str]] = {}
    for label, numbers in names.labels.items():
        for number in numbers:
            parts.setdefault(number, set()).update(label.split())
    best: dict[str, tuple[int, float]] = {}

    def offer(phrase: str, number: int, weight: float) -> None:
        if number not in unfit and (phrase not in best or best[phrase][1] < weight):
            best[phrase] = number, weight

    for label, numbers in names.labels.items():
        for number in numbers:
            offer(label, number, LABEL + 0.1 * _GROUPS.get(book.icons[number].group, 0))
    for word, numbers in names.words.items():
        for number in numbers:
            named = 0.6 if word in parts.get(number, ()) else 0.0
            liked = 2.0 - favoured[number] / len(favoured) if number in favoured else 0.0
            offer(word, number, KEYWORD + named + liked + _GROUPS.get(book.icons[number].group, 0.0))
    for entry in lexicon()["words"].get(language, "").split(","):
        word, _, sign = entry.strip().rpartition(" ")
        if word and (number := book.number(sign)) is not None:
            offer(folded(" ".join(word.split())), number, OURS)
    return {phrase: (number, weight) for phrase, (number, weight) in best.items() if weight >= 2}
