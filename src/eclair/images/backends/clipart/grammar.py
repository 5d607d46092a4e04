"""The small words of a language: numbers, colours, sizes, relations, surroundings. `grammar.toml` has them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from eclair.images.backends.clipart.colors import COLOURS
from eclair.images.backends.clipart.folding import folded

Kind = Literal[
    "number", "many", "colour", "size", "relation", "without", "link", "time", "place", "weather", "festive",
    "background", "ignore",
]  # fmt: skip

LONGEST = 4
"""Words of a phrase."""
ENDING = 3
"""Letters that `~` stands for at most."""

SIZES = {"tiny": 0.5, "small": 0.7, "big": 1.4, "huge": 1.9}
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("on", "under", "beside", "front", "behind", "between", "in", "over", "with"), "relation"),
    **dict.fromkeys(("night", "sunset", "day"), "time"),
    **dict.fromkeys(
        ("sea", "beach", "desert", "snow", "forest", "city", "space", "underwater", "mountains", "meadow"), "place"
    ),
    **dict.fromkeys(("room", "table", "moon"), "place"),
    **dict.fromkeys(("rain", "snowing"), "weather"),
    **dict.fromkeys(SIZES, "size"),
    "many": "many",
    "without": "without",
    "links": "link",
    "festive": "festive",
    "background": "background",
    "ignore": "ignore",
}
_ELIDED = {"l", "d", "s", "n", "m", "t", "j", "c", "qu", "un", "gl", "dell", "all", "nell", "sull", "sott", "dall"}
_WORD = re.compile(r"[^\W_]+(?:['’ʼ-][^\W_]+)*['’]?")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is written, and as it is compared."""

    text: str
    folded: str

    @property
    def capital(self) -> bool:
        return self.text[:1].isupper()


@dataclass(frozen=True, slots=True)
class Word:
    """`value` is the number, the name of the colour, of the relation and so on; empty where the kind says all."""

    kind: Kind
    value: str = ""


@dataclass(frozen=True, slots=True)
class Grammar:
    language: str
    after: bool
    """Colours follow their noun."""
    phrases: dict[tuple[str, ...], Word]
    stems: dict[str, Word]
    undrawn: str
    """How to say that something was not drawn."""

    def match(self, tokens: Sequence[Token], at: int) -> tuple[Word, int] | None:
        """What the words from there on say, and how many they are: the longest phrase."""
        for length in range(min(LONGEST, len(tokens) - at), 0, -1):
            key = tuple(token.folded for token in tokens[at : at + length])
            if (word := self.phrases.get(key)) is not None:
                return word, length
        word = tokens[at].folded
        for end in range(len(word), max(0, len(word) - ENDING - 1), -1):
            if (found := self.stems.get(word[:end])) is not None:
                return found, 1
        return None


def tokens(text: str) -> list[Token]:
    """The words of a text; what is elided before a word is one of its own."""
    return [Token(part, folded(part)) for match in _WORD.finditer(text) for part in _parts(match[0])]


def _parts(word: str) -> Iterator[str]:
    word = word.replace("’", "'").replace("ʼ", "'")
    before, mark, after = word.partition("'")
    if mark and after and before.lower() in _ELIDED:
        yield before + mark
        yield from _parts(after)
    elif word.endswith("'s"):
        yield word[:-2]
    elif mark and not after and before.lower() not in _ELIDED:
        yield before
    else:
        yield word


@cache
def grammar(language: str) -> Grammar:
    """One without words for a language that `grammar.toml` does not have."""
    table = _tables().get(language, {})
    phrases: dict[tuple[str, ...], Word] = {}
    stems: dict[str, Word] = {}
    for text, word in _entries(table):
        if text.endswith("~"):
            stems.setdefault(folded(text[:-1]), word)
        else:
            phrases.setdefault(tuple(token.folded for token in tokens(text)), word)
    undrawn = table.get("undrawn", "not drawn")
    return Grammar(language, bool(table.get("after", False)), phrases, stems, undrawn)


@cache
def colour_word(language: str, colour: str) -> str:
    """What the language calls it, in its plainest form; in English where it has no word for it."""
    for own in (language, "en"):
        words = _tables().get(own, {}).get("colours", "").split()
        if words:
            return words[list(COLOURS).index(colour)].split("/")[0].removesuffix("~").replace("_", " ")
    return colour


@cache
def _tables() -> dict[str, Any]:
    text = resources.files("eclair.images.backends.clipart").joinpath("grammar.toml").read_text("utf-8")
    return tomllib.loads(text)


def _entries(table: dict[str, Any]) -> Iterator[tuple[str, Word]]:
    """In the order in which one meaning goes before another."""
    for number, alike in enumerate(table.get("numbers", "").split(), 1):
        yield from ((text.replace("_", " "), Word("number", str(number))) for text in alike.split("/"))
    for text in table.get("tens", "").split(","):
        words, _, number = text.strip().rpartition(" ")
        if words:
            yield words, Word("number", number)
    for name, alike in zip(COLOURS, table.get("colours", "").split(), strict=False):
        yield from ((text.replace("_", " "), Word("colour", name)) for text in alike.split("/"))
    for key, kind in _KINDS.items():
        for text in table.get(key, "").split(","):
            if text.strip():
                yield text.strip(), Word(kind, key)
