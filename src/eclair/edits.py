"""Editing a text: the engine is asked for the changed pieces alone, and they are put into the text exactly.

A text is cut into pieces, its lines and the sentences of long ones, and shown with a number before each. The engine
answers with the numbers that change, each with what is to stand there; what it does not name stays as it is, to the
byte, and costs nothing. Whom to ask, and what to do with the text, is left to others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eclair.engines.base import Said
from eclair.errors import EngineBroken

LONG = 160
"""Characters beyond which a line is cut into its sentences."""

_SENTENCE = re.compile(r"(?<=[.!?…。])(?:[\"'»”’)\]]*)[ \t]+(?=\S)")
_BRACKETS = ("[]", "<>", "{}", "⟦⟧", "⟪⟫")
_NOTHING = "0"

_RULES = """\
You edit texts. Each piece of the text is shown with its number in brackets. Answer only with the pieces that change, \
each on a line of its own: its number in brackets, then the whole new piece. A piece that is to go is its number \
alone. A piece may become several lines. What you do not name stays as it is. If nothing changes, answer {none}."""


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


class Task:
    """A text that is to be edited as `instruction` says."""

    def __init__(self, text: str, instruction: str) -> None:
        self._instruction = instruction
        self._pieces = cut(text)
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._open, self._close = _brackets(text)
        self._mark = re.compile(rf"^{re.escape(self._open)}(\d+){re.escape(self._close)} ?(.*)$", re.DOTALL)

    @property
    def messages(self) -> tuple[Said, ...]:
        """What the engine is asked."""
        shown = "\n".join(
            f"{self._marked(number)} {piece.text}" for number, piece in enumerate(self._pieces, 1) if piece.text
        )
        return (
            Said("system", _RULES.format(none=self._marked(_NOTHING))),
            Said("user", f"{self._instruction}\n\n{shown}"),
        )

    def reply(self, changes: Sequence[Change]) -> str:
        """The answer that makes these changes."""
        lines = [f"{self._marked(change.number)} {change.after}".rstrip(" ") for change in changes]
        return "\n".join(lines or [self._marked(_NOTHING)])

    def apply(self, reply: str) -> Edited:
        """The text with what `reply` changes. Raises EngineBroken for a reply that is no such list of changes."""
        wanted = self._wanted(reply)
        parts: list[str] = []
        changes: list[Change] = []
        for number, piece in enumerate(self._pieces, 1):
            new = wanted.get(number, piece.text)
            if new != piece.text:
                changes.append(Change(number, piece.text, new))
            if new or not piece.text:
                parts += (new, piece.after)
        return Edited("".join(parts), tuple(changes))

    def _wanted(self, reply: str) -> dict[int, str]:
        """The new pieces by number."""
        found: dict[int, list[str]] = {}
        last = -1
        for line in _unfenced(reply).split("\n"):
            match = self._mark.match(line)
            if match is not None:
                last = int(match[1])
                if last in found:
                    raise EngineBroken(f"The model changed piece {last} of the text twice; nothing was changed.")
                found[last] = [match[2]]
            elif last >= 0:
                found[last].append(line)
        if not found:
            raise EngineBroken(
                "The model did not answer with changes that can be made; nothing was changed. A larger model may do it."
            )
        found.pop(int(_NOTHING), None)
        for number in found:
            if number > len(self._pieces) or not self._pieces[number - 1].text:
                raise EngineBroken(f"The model changed piece {number}, which the text has not; nothing was changed.")
        return {number: self._newline.join(lines).rstrip() for number, lines in found.items()}

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
