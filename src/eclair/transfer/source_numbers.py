"""Numbers the sources of an answer for people: 1, 2, 3 in the order in which they are cited.

Stored messages keep the numbers that passages have within their conversation.
The web app numbers by the same rules (ui/src/lib/sourceNumbers.ts).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from eclair.schema.messages import Citation, ComputedFigure, Doubt, Message

_WRITTEN = re.compile(r"`|\[(\^?)(\d{1,6})\](?![(:])")
_FENCE = re.compile(r"[ \t>]*+(?:`{3}|~{3})")
_FOOTNOTE = re.compile(r"\[\^(\d{1,6})\]:")

MarkT = TypeVar("MarkT", Citation, Doubt)


@dataclass(frozen=True, slots=True)
class _NumberedText:
    """A text with new numbers. After the characters `starts` of the old text, places move by `moves`."""

    text: str
    starts: tuple[int, ...]
    moves: tuple[int, ...]

    def moved(self, place: int) -> int:
        """Return where character `place` of the old text is now."""
        return place + self.moves[bisect_left(self.starts, place)]


def number_sources(message: Message) -> Message:
    """Renumber the passages of a message, in its text too: cited ones by their first citation, then the rest."""
    numbers = _new_numbers(message)
    if all(old == new for old, new in numbers.items()):
        return message
    texts = [_numbered(part.text, numbers if part.kind == "text" else {}) for part in message.parts]
    passages = [replace(passage, number=numbers[passage.number]) for passage in message.passages]
    return replace(
        message,
        parts=tuple(replace(part, text=text.text) for part, text in zip(message.parts, texts, strict=True)),
        passages=tuple(sorted(passages, key=lambda passage: passage.number)),
        citations=tuple(_moved(each, texts, numbers) for each in message.citations),
        doubts=tuple(_moved(each, texts, numbers) for each in message.doubts),
        computed_figures=tuple(_shifted(each, texts) for each in message.computed_figures),
        remarks=tuple(replace(each, message=_numbered(each.message, numbers).text) for each in message.remarks),
    )


def _new_numbers(message: Message) -> dict[int, int]:
    """Map the numbers of a message's passages to those that people see."""
    known = dict.fromkeys(sorted(passage.number for passage in message.passages))
    cited = sorted(message.citations, key=lambda each: (each.index, each.end, each.passage))
    order = dict.fromkeys([*(each.passage for each in cited), *known])
    numbers = iter(range(1, len(known) + 1))
    return {old: next(numbers) for old in order if old in known}


def _numbered(text: str, numbers: Mapping[int, int]) -> _NumberedText:
    """Put new numbers where the model wrote old ones."""
    said, at = list[str](), 0
    starts, moves = list[int](), [0]
    for start, end, new in _written(text, numbers) if numbers else ():
        said += (text[at:start], new)
        at = end
        starts.append(start)
        moves.append(moves[-1] + len(new) - (end - start))
    return _NumberedText("".join(said) + text[at:], tuple(starts), tuple(moves))


def _written(text: str, numbers: Mapping[int, int]) -> Iterator[tuple[int, int, str]]:
    """Yield the span of each number, and its new form. Code and footnotes of the text's own stay."""
    footnotes = set(_FOOTNOTE.findall(text))
    begin, in_fence = 0, False
    for line in text.split("\n"):
        in_code = False
        if _FENCE.match(line):
            in_fence = not in_fence
        else:
            for found in _WRITTEN.finditer(line) if not in_fence else ():
                if found[0] == "`":
                    in_code = not in_code
                elif not in_code and int(found[2]) in numbers and not (found[1] and found[2] in footnotes):
                    yield begin + found.start(), begin + found.end(), f"[{found[1]}{numbers[int(found[2])]}]"
        begin += len(line) + 1


def _moved(marked: MarkT, texts: list[_NumberedText], numbers: Mapping[int, int]) -> MarkT:
    """Give a mark its place in the new text, and the new number of its passage."""
    passage = marked.passage if marked.passage is None else numbers.get(marked.passage, marked.passage)
    if marked.index >= len(texts):
        return replace(marked, passage=passage)
    text = texts[marked.index]
    return replace(marked, start=text.moved(marked.start), end=text.moved(marked.end), passage=passage)


def _shifted(figure: ComputedFigure, texts: list[_NumberedText]) -> ComputedFigure:
    """Give a computed figure its place in the new text."""
    if figure.index >= len(texts):
        return figure
    text = texts[figure.index]
    return replace(figure, start=text.moved(figure.start), end=text.moved(figure.end))
