"""Detect questions that look like a use of AI that the AI Act prohibits (Art. 5) or calls high-risk (Annex III).

Words stand for intent here, so it can be wrong in both ways: a notice may follow from it, and no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Literal

import orjson

from eclair.text.terms import fold_text

MAX_CHARS = 4000
"""Of a question that are looked at, from its beginning; what is pasted below it isn't the request."""
WINDOW_CHARS = 90
"""Distance within which the words must stand."""

UseKind = Literal["prohibited", "high_risk"]


@dataclass(frozen=True, slots=True)
class RegulatedUse:
    """A use that the AI Act regulates: its kind, and its `area`, such as `hiring`."""

    kind: UseKind
    area: str


@dataclass(frozen=True, slots=True)
class _Area:
    """The words of an area in one language: one of each list must be there."""

    use: RegulatedUse
    patterns: tuple[re.Pattern[str], ...]


def find_regulated_use(question: str) -> RegulatedUse | None:
    """Find the use that a question looks like, in any language of the Union; a prohibited one goes before others."""
    text = fold_text(question[:MAX_CHARS])
    if _law_names().search(text):
        return None
    return next((area.use for area in _areas() if _matches(area, text)), None)


def _matches(area: _Area, text: str) -> bool:
    """Tell whether words of all lists stand within the window, in one sentence."""
    first, *others = area.patterns
    for sentence in _sentences(text):
        for found in first.finditer(sentence):
            near = sentence[max(0, found.start() - WINDOW_CHARS) : found.end() + WINDOW_CHARS]
            if all(pattern.search(near) for pattern in others):
                return True
    return False


def _sentences(text: str) -> list[str]:
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


_SENTENCE_END = re.compile(r"[.!?\n;](?=\s|$)")


@cache
def _areas() -> Sequence[_Area]:
    words = _load()
    kinds: list[tuple[UseKind, str]] = [
        ("prohibited" if name in words.prohibited else "high_risk", name) for name in words.areas
    ]
    ordered = sorted(kinds, key=lambda each: each[0] != "prohibited")
    return tuple(
        _Area(RegulatedUse(kind, name), tuple(map(_starting_with, lists)))
        for kind, name in ordered
        for lists in words.areas[name]
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """Areas with the lists of each language, the names of those that are prohibited, and names of the law."""

    areas: Mapping[str, Sequence[Sequence[Sequence[str]]]]
    prohibited: frozenset[str]
    law_names: Sequence[str]


@cache
def _load() -> _Words:
    raw = orjson.loads((resources.files("eclair.text.intent") / "regulated_uses.json").read_bytes())
    areas: dict[str, list[Sequence[Sequence[str]]]] = {}
    for lists_by_area in raw["languages"].values():
        for name, lists in lists_by_area.items():
            areas.setdefault(name, []).append(lists)
    return _Words(areas, frozenset(raw["prohibited"]), raw["law_names"])


@cache
def _law_names() -> re.Pattern[str]:
    return _starting_with(_load().law_names)


def _starting_with(words: Sequence[str]) -> re.Pattern[str]:
    """Match one of these beginnings of words; one of up to three letters is the whole word."""
    stems = sorted({fold_text(word) for word in words}, key=len, reverse=True)
    parts = [rf"{re.escape(stem)}\b" if len(stem) <= 3 else re.escape(stem) for stem in stems]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})")
