"""Read prompts as scenes: known things are counted, colored and placed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from eclair.images.backends.clipart.book import Vocabulary, book
from eclair.images.backends.clipart.folding import WORD, fold_words
from eclair.images.backends.clipart.scene import MAX_PICTURES, ClipArtItem, ClipArtScene
from eclair.text.language import is_small_word

MAX_READ_WORDS = 100
COMMON = ("en", "de", "fr", "es", "it", "nl", "pl", "pt")  # before others, where few words tell
SEVERAL, PLURAL = 5, 3  # pictures, where the words say no number
SIZES = {"small": 0.6, "large": 1.5}
_THINGS = ("noun", "unknown")
_ROWS = {"above": -1, "below": 1}
_RELATIONS = ("left", "right", "without", *_ROWS)
_SMALL = ("little", "frame", *_RELATIONS)
_TOKEN = re.compile(rf"[„“][^„“”\n]++[“”]|\"[^\"\n]++\"|«[^«»\n]++»|{WORD.pattern}['’]?|[^\w\s'’-]")


class _Unit(NamedTuple):
    """Words that mean one thing. `picture` has that name; `weight` is how sure it is that these are the language's."""

    text: str
    kind: str
    weight: int = 0
    value: str = ""
    picture: int | None = None
    is_plural: bool = False


def read(prompt: str) -> ClipArtScene:
    """The scene that a prompt asks for, in the language that has most of its words."""
    tokens = _TOKEN.findall(prompt)[:MAX_READ_WORDS]
    units = {each: list(_units(tokens, book().vocabulary(each))) for each in (*COMMON, *book().languages)}
    best = max(units, key=lambda each: sum(unit.weight for unit in units[each]) - 2 * (each not in COMMON))
    return _Reader(book().vocabulary(best)).scene(units[best])


def _units(tokens: Sequence[str], words: Vocabulary) -> Iterator[_Unit]:
    """The longest phrases that mean something."""
    has_capitals = "capitals" in words.flags and any(token[0].isupper() for token in tokens[1:])
    while tokens:
        tried = ((_unit(tokens[:length], words, has_capitals), length) for length in range(min(4, len(tokens)), 0, -1))
        unit, length = next((unit, length) for unit, length in tried if unit.weight or length == 1)
        yield unit
        tokens = tokens[length:]


def _unit(tokens: Sequence[str], words: Vocabulary, has_capitals: bool) -> _Unit:
    text = " ".join(tokens).replace("' ", "'").replace("’ ", "’").rstrip("'’")
    phrase = fold_words(text)
    word, found, is_low = words.word(phrase), words.picture(phrase), has_capitals and text[0].islower()
    weight = len(tokens) * (3 if phrase in words.words or phrase in words.names else 2 if word or found else 0)
    if not all(token[0].isalnum() for token in tokens):
        return _Unit(text, "describing" if phrase else "little")
    if word is not None and (found is None or word[0] != "color"):
        return _Unit(text, word[0], weight, word[1])
    if found is not None and not is_low:
        is_plural = phrase != found[1] and phrase.endswith(tuple(words.plural))
        kind, value = word or ("noun", "")
        return _Unit(text, kind, weight, value, found[0], is_plural)
    if is_small_word(text, words.language) or len(phrase) < 3:
        return _Unit(text, "little", 3 if len(phrase) > 2 else 0)
    return _Unit(text, "describing" if is_low or phrase.endswith(tuple(words.verbal)) else "unknown", weight)


class _Reader:
    """Takes the words between two small ones for one thing and what describes it."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._items: list[ClipArtItem] = []
        self._unknown: list[str] = []
        self._undrawn: list[str] = []
        self._relation = ""
        self._subject = self._last = 0  # the first and the last item that the next relation is about

    def scene(self, units: Sequence[_Unit]) -> ClipArtScene:
        group: list[_Unit] = []
        for unit in (*units, _Unit("", "little")):
            begins = unit.kind == "number" or (unit.kind not in _THINGS and "color_follows" not in self._words.flags)
            if unit.kind in _SMALL or (begins and any(each.kind in _THINGS for each in group)):
                self._close(group)
                group = []
            if unit.kind in _RELATIONS:
                self._relation = unit.kind
            elif unit.kind not in _SMALL:
                group.append(unit)
        return ClipArtScene(self._words.language, tuple(self._items), tuple(self._unknown), tuple(self._undrawn))

    def _close(self, group: list[_Unit]) -> None:
        counts = [unit for unit in group if unit.kind in ("number", "several")]
        others = [unit for unit in group if unit not in counts]
        things = [unit for unit in group if unit.kind in _THINGS]
        if not things and (counts or any(unit.is_plural for unit in group)):  # an orange, une rose rouge
            things = [unit for unit in group if unit.picture is not None][:1]
        nouns = [unit for unit in things if unit.picture is not None]
        if "compounds" in self._words.flags and things:  # a school bus is a bus, an apple tree no apple
            nouns = [unit for unit in nouns if unit is things[-1]]
        if self._relation == "without":
            self._relation = "" if things else "without"
        elif nouns:
            self._add(nouns[0], counts, others)
        elif things:
            self._unknown.append(" ".join(unit.text for unit in others))
            self._relation = "?"
        elif self._items and not self._relation and [unit.kind for unit in others] == ["color"]:  # the car is red
            last = self._items[self._last]
            words = f"{last.words} ({others[0].text})"
            self._items[self._last] = replace(last, color=others[0].value, words=words)
        else:
            self._undrawn += [unit.text for unit in others]

    def _add(self, noun: _Unit, counts: list[_Unit], others: list[_Unit]) -> None:
        color = next((unit for unit in others if unit.kind == "color" and unit is not noun), None)
        size = next((unit for unit in others if unit.kind in SIZES), None)
        count = int(counts[-1].value or SEVERAL) if counts else PLURAL if noun.is_plural else 1
        shown = [unit for unit in others if unit in (noun, color, size)]
        item = ClipArtItem(
            noun.picture or 0,
            " ".join(unit.text for unit in shown),
            min(count, MAX_PICTURES - sum(item.count for item in self._items)),
            color.value if color else None,
            SIZES[size.kind] if size else 1.0,
            self._items[self._last].row + _ROWS.get(self._relation, 0) if self._items else 0,
        )
        self._undrawn += [unit.text for unit in others if item.count < 1 or unit not in shown]
        at = self._subject if self._relation == "right" else len(self._items)
        self._subject = at if self._relation in _RELATIONS else self._subject
        self._relation = ""
        if item.count > 0:
            self._items.insert(at, item)
            self._last = at
