"""Editing a text: the engine is asked for the changed pieces alone, and they are put into the text exactly.

A text is cut into pieces, its lines and the sentences of long ones, and shown with a number before each. The engine
answers with the numbers that change, each with the words that change and those in their place, or with the whole new
piece; what it does not name stays as it is, to the byte, and costs nothing. Whom to ask, and what to do with the text,
is left to others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from eclair.errors import EngineBroken
from eclair.llm.base import PromptMessage

LONG = 160
"""Characters beyond which a line is cut into its sentences."""

_SENTENCE = re.compile(r"(?<=[.!?…。])(?:[\"'»”’)\]]*)[ \t]+(?=\S)")
_WORD = re.compile(r"\S+")
_BRACKETS = ("[]", "<>", "{}", "⟦⟧", "⟪⟫")
_ARROWS = ("→", "⇒", "⟹", "↦")
_NOTHING = "0"

_RULES = """\
You edit texts. Each piece of the text is shown with its number in brackets. Answer only with what changes, each \
change on a line of its own: the number of its piece in brackets, the words that change as they stand there, {arrow} \
and the new words, such as {example}. Name so many words that they stand in the piece only once; a piece may have \
several such lines. Where most of a piece changes: its number and the whole new piece, which may become several \
lines. A piece that is to go is its number alone. What you do not name stays as it is. If nothing changes, answer \
{none}."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text, and the white space after it that belongs to no piece."""

    text: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """Piece `number`, counted from 1, was `before` and is `after` now; nothing of it is left where that is empty."""

    number: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The text as it is now, and what was changed in it, in the text's order."""

    text: str
    changes: tuple[Change, ...]


@dataclass(slots=True)
class _Wanted:
    """What is to become of a piece: new `lines` in its place, where there are any, or `swaps` of words within it."""

    lines: list[str] | None = None
    swaps: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])


class Task:
    """A text that is to be edited as `instruction` says."""

    def __init__(self, text: str, instruction: str) -> None:
        self._instruction = instruction
        self._pieces = cut(text)
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._open, self._close = _brackets(text)
        self._arrow = next((arrow for arrow in _ARROWS if arrow not in text + instruction), _ARROWS[-1])
        self._mark = re.compile(rf"^{re.escape(self._open)}(\d+){re.escape(self._close)} ?(.*)$", re.DOTALL)

    @property
    def messages(self) -> tuple[PromptMessage, ...]:
        """What the engine is asked."""
        shown = "\n".join(
            f"{self._marked(number)} {piece.text}" for number, piece in enumerate(self._pieces, 1) if piece.text
        )
        return (
            PromptMessage("system", self._rules()),
            PromptMessage("user", f"{self._instruction}\n\n{shown}"),
        )

    def reply(self, changes: Sequence[Change]) -> str:
        """The shortest answer that makes these changes."""
        lines: list[str] = []
        for change in changes:
            mark = self._marked(change.number)
            swap = _swap(change.before, change.after) if self._arrow not in change.before + change.after else None
            lines += [f"{mark} {swap[0]} {self._arrow} {swap[1]}" if swap else f"{mark} {change.after}".rstrip(" ")]
        return "\n".join(lines or [self._marked(_NOTHING)])

    def apply(self, reply: str) -> Edited:
        """The text with what `reply` changes. Raises EngineBroken for a reply that is no such list of changes."""
        wanted = self._wanted(reply)
        parts: list[str] = []
        changes: list[Change] = []
        for number, piece in enumerate(self._pieces, 1):
            new = self._renewed(number, piece.text, wanted[number]) if number in wanted else piece.text
            if new != piece.text:
                changes.append(Change(number, piece.text, new))
            if new or not piece.text:
                parts += (new, piece.after)
        return Edited("".join(parts), tuple(changes))

    def _rules(self) -> str:
        example = f"{self._marked(3)} two cat {self._arrow} two cats"
        return _RULES.format(arrow=self._arrow, example=example, none=self._marked(_NOTHING))

    def _wanted(self, reply: str) -> dict[int, _Wanted]:
        """What is to become of pieces, by number."""
        found: dict[int, _Wanted] = {}
        lines: list[str] | None = None
        for line in _unfenced(reply).split("\n"):
            match = self._mark.match(line)
            if match is not None:
                number, (old, arrow, new) = int(match[1]), match[2].partition(self._arrow)
                lines = [new.removeprefix(" ") if arrow else match[2]]
                one = found.setdefault(number, _Wanted())
                if one.lines is not None or (not arrow and one.swaps):
                    raise EngineBroken(f"The model changed piece {number} of the text twice; nothing was changed.")
                if arrow:
                    one.swaps.append((old.strip(), lines))
                else:
                    one.lines = lines
            elif lines is not None:
                lines.append(line)
        if not found:
            raise EngineBroken(
                "The model did not answer with changes that can be made; nothing was changed. A larger model may do it."
            )
        found.pop(int(_NOTHING), None)
        for number in found:
            if number > len(self._pieces) or not self._pieces[number - 1].text:
                raise EngineBroken(f"The model changed piece {number}, which the text has not; nothing was changed.")
        return found

    def _renewed(self, number: int, text: str, wanted: _Wanted) -> str:
        """The piece as it is wanted. Raises EngineBroken where words that change are not there, or not only once."""
        if wanted.lines is not None:
            return self._newline.join(wanted.lines).rstrip()
        places: list[tuple[int, int, str]] = []
        for old, lines in wanted.swaps:
            if not old or text.count(old) != 1:
                raise EngineBroken(
                    f"The model changed words of piece {number} that do not stand in it just once; nothing was changed."
                )
            start = text.index(old)
            places.append((start, start + len(old), self._newline.join(lines).rstrip()))
        parts: list[str] = []
        at = 0
        for start, end, new in sorted(places):
            if start < at:
                raise EngineBroken(f"The model changed the same words of piece {number} twice; nothing was changed.")
            parts += (text[at:start], new)
            at = end
        return ("".join(parts) + text[at:]).rstrip()

    def _marked(self, number: int | str) -> str:
        return f"{self._open}{number}{self._close}"


def cut(text: str) -> list[Piece]:
    """The text's pieces in order; joined, with what follows each, they are the text."""
    pieces: list[Piece] = []
    for line in text.splitlines(keepends=True):
        body = line.rstrip()
        starts = [0]
        if len(body) > LONG:
            starts += [match.end() for match in _SENTENCE.finditer(body)]
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            whole = line[start:end]
            pieces.append(Piece(whole.rstrip(), whole[len(whole.rstrip()) :]))
    return pieces


def _swap(before: str, after: str) -> tuple[str, str] | None:
    """The words of `before` that change, so many that they stand there once, and those of `after` in their place; None
    where the whole is as short."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if " ".join(old) != before or " ".join(new) != after:
        return None  # white space may be what changes
    same = range(min(len(old), len(new)))
    first = next((at for at in same if old[at] != new[at]), len(same))
    last = next((at for at in same if old[-1 - at] != new[-1 - at]), len(same))
    last = min(last, len(same) - first)
    while True:
        changed, put = " ".join(old[first : len(old) - last]), " ".join(new[first : len(new) - last])
        if changed and put and before.count(changed) == 1:
            break
        if first == last == 0:
            return None
        first, last = max(0, first - 1), last if first else last - 1
    return (changed, put) if len(changed) + len(put) < len(after) else None


def _brackets(text: str) -> str:
    """Brackets that no line of the text begins a number with, so that none is taken for a mark."""
    for pair in _BRACKETS:
        if re.search(rf"^{re.escape(pair[0])}\d+{re.escape(pair[1])}", text, re.MULTILINE) is None:
            return pair
    return _BRACKETS[-1]


def _unfenced(reply: str) -> str:
    """The reply without the fence of a block of code that some models put around everything."""
    match = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", reply, re.DOTALL)
    return match[1] if match is not None else reply
