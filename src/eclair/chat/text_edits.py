"""Text edits: a model is asked only for changes, which are applied exactly.

A text is split into pieces (lines, and the sentences of long lines), each shown with a number. The model answers with
the numbers of the pieces that change, each with the old and new words, or with the new piece. Other pieces stay byte
for byte the same and cost no tokens. A text that is still empty is written as a whole. Asking the model is left to
`edit_text`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from eclair.errors import EngineBroken
from eclair.llm.base import PromptMessage

MAX_LINE_CHARS = 160
"""Longer lines are split into sentences."""

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
lines. A piece that is to go is its number alone. What you do not name stays as it is."""

_WRITING_RULES = """\
You write texts. Answer only with the text that you are asked for, in the language of the request unless it names \
another: no words before or after it, and no code fence around it."""

_CODE_RULES = """\
You write files in the format {language}. Answer only with the content of one such file: no words before or after it, \
and no code fence around it.{more}"""

_ALONE_RULE = " It works on its own: its styles and scripts are in it, and it loads nothing from elsewhere."
_COMPONENT_RULE = " It exports one React component by default, and imports nothing but `react`."
_FORMAT_RULES = {"html": _ALONE_RULE, "svg": _ALONE_RULE, "jsx": _COMPONENT_RULE, "tsx": _COMPONENT_RULE}
"""Rules by which the preview of a canvas can show a file."""

_PROSE = ("", "markdown", "md", "text", "txt", "plain", "plaintext")

_FENCE = "```"

_DECLINING_RULE = " If nothing changes, answer {none}."
"""Small models take this for the easy way out: with it, a model of 1.5 billion ignored four of five instructions."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the text, and the white space after it."""

    text: str
    after: str


@dataclass(frozen=True, slots=True)
class TextChange:
    """A changed piece, counted from 1. An empty `after` means that it was deleted."""

    number: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TextPatch:
    """New text in place of the characters `start` to `end` of the text before the edit."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class EditedText:
    """The text after an edit, and its changes in order."""

    text: str
    changes: tuple[TextChange, ...]


@dataclass(slots=True)
class _PieceEdit:
    """The change of a piece: new `lines`, or else `swaps` of words within it."""

    lines: list[str] | None = None
    swaps: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])


class EditTask:
    """A text to be edited as `instruction` says. The model is only told how to change nothing if it `may_decline`."""

    def __init__(self, text: str, instruction: str, *, may_decline: bool = True) -> None:
        self._instruction = instruction
        self._may_decline = may_decline
        self._pieces = split_pieces(text)
        self._starts = [0, *accumulate(len(piece.text) + len(piece.after) for piece in self._pieces)]
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._open, self._close = _unused_brackets(text)
        self._arrow = next((arrow for arrow in _ARROWS if arrow not in text + instruction), _ARROWS[-1])
        self._mark = re.compile(rf"^{re.escape(self._open)}(\d+){re.escape(self._close)} ?(.*)$", re.DOTALL)

    @property
    def messages(self) -> tuple[PromptMessage, ...]:
        """The prompt for the model."""
        shown = "\n".join(
            f"{self._number_mark(number)} {piece.text}" for number, piece in enumerate(self._pieces, 1) if piece.text
        )
        return (
            PromptMessage("system", self._rules()),
            PromptMessage("user", f"{self._instruction}\n\n{shown}"),
        )

    def reply(self, changes: Sequence[TextChange]) -> str:
        """Return the shortest answer that makes these changes."""
        lines: list[str] = []
        for change in changes:
            mark = self._number_mark(change.number)
            swap = (
                _shortest_swap(change.before, change.after) if self._arrow not in change.before + change.after else None
            )
            lines += [f"{mark} {swap[0]} {self._arrow} {swap[1]}" if swap else f"{mark} {change.after}".rstrip(" ")]
        return "\n".join(lines or [self._number_mark(_NOTHING)])

    def apply(self, reply: str) -> EditedText:
        """Apply the changes in `reply`. Raises EngineBroken if it is not a list of changes."""
        edits = self._parse(reply)
        parts: list[str] = []
        changes: list[TextChange] = []
        for number, piece in enumerate(self._pieces, 1):
            new = self._edit_piece(number, piece.text, edits[number]) if number in edits else piece.text
            if new != piece.text:
                changes.append(TextChange(number, piece.text, new))
            if new or not piece.text:
                parts += (new, piece.after)
        return EditedText("".join(parts), tuple(changes))

    def reader(self) -> PatchReader:
        """Return a reader of one reply."""
        return PatchReader(self)

    def patches(self, lines: Sequence[str]) -> list[TextPatch]:
        """Return what these lines of a reply change. Raises EngineBroken as `apply` does."""
        edits = self._parse("\n".join(lines))
        return [patch for number in edits for patch in self._patch(number, edits[number])]

    def marked_number(self, line: str) -> str | None:
        """Return the number of the piece that a line of a reply begins to change; None for a line that goes on."""
        match = self._mark.match(line)
        return None if match is None else match[1]

    def _patch(self, number: int, edit: _PieceEdit) -> list[TextPatch]:
        piece = self._pieces[number - 1]
        new = self._edit_piece(number, piece.text, edit)
        start = self._starts[number - 1]
        if new == piece.text:
            return []
        return [TextPatch(start, start + len(piece.text) + (0 if new else len(piece.after)), new)]

    def _rules(self) -> str:
        example = f"{self._number_mark(3)} two cat {self._arrow} two cats"
        rules = _RULES + (_DECLINING_RULE if self._may_decline else "")
        return rules.format(arrow=self._arrow, example=example, none=self._number_mark(_NOTHING))

    def _parse(self, reply: str) -> dict[int, _PieceEdit]:
        """Parse the reply into changes, by the number of their piece."""
        found: dict[int, _PieceEdit] = {}
        lines: list[str] | None = None
        for line in _unfenced(reply).split("\n"):
            match = self._mark.match(line)
            if match is not None:
                number, (old, arrow, new) = int(match[1]), match[2].partition(self._arrow)
                lines = [new.removeprefix(" ") if arrow else match[2]]
                edit = found.setdefault(number, _PieceEdit())
                if edit.lines is not None or (not arrow and edit.swaps):
                    raise EngineBroken(f"The model changed piece {number} of the text twice; nothing was changed.")
                if arrow:
                    edit.swaps.append((old.strip(), lines))
                else:
                    edit.lines = lines
            elif lines is not None:
                lines.append(line)
        if not found:
            raise EngineBroken(
                "The model's answer has no usable changes; nothing was changed. A larger model may do better."
            )
        found.pop(int(_NOTHING), None)
        for number in found:
            if number > len(self._pieces) or not self._pieces[number - 1].text:
                raise EngineBroken(f"The model changed piece {number}, which does not exist; nothing was changed.")
        return found

    def _edit_piece(self, number: int, text: str, edit: _PieceEdit) -> str:
        """Return the changed piece. Raises EngineBroken unless the old words occur exactly once."""
        if edit.lines is not None:
            return self._newline.join(edit.lines).rstrip()
        replacements: list[tuple[int, int, str]] = []
        for old, lines in edit.swaps:
            if not old or text.count(old) != 1:
                raise EngineBroken(
                    f"The model changed words that do not occur exactly once in piece {number}; nothing was changed."
                )
            start = text.index(old)
            replacements.append((start, start + len(old), self._newline.join(lines).rstrip()))
        parts: list[str] = []
        at = 0
        for start, end, new in sorted(replacements):
            if start < at:
                raise EngineBroken(f"The model changed the same words of piece {number} twice; nothing was changed.")
            parts += (text[at:start], new)
            at = end
        return ("".join(parts) + text[at:]).rstrip()

    def _number_mark(self, number: int | str) -> str:
        return f"{self._open}{number}{self._close}"


class PatchReader:
    """Reads the reply to a task while it is written, and finds each change as soon as the next one begins."""

    def __init__(self, task: EditTask) -> None:
        self._task = task
        self._rest = ""
        self._number: str | None = None
        self._lines: list[str] = []

    def read(self, text: str) -> list[TextPatch]:
        """Take what the model wrote next. Raises EngineBroken for a change that can't be made."""
        *lines, self._rest = (self._rest + text).split("\n")
        found: list[TextPatch] = []
        for line in lines:
            found += self._begin(line)
            if self._number is not None:
                self._lines.append(line)
        return found + self._begin(self._rest)

    def _begin(self, line: str) -> list[TextPatch]:
        """Return the changes that end where this line begins another one."""
        number = self._task.marked_number(line)
        if number is None or number == self._number:
            return []
        found = self._task.patches(self._lines) if self._lines else []
        self._number, self._lines = number, []
        return found


class WritingTask:
    """A text in `language` to be written as `instruction` says, in place of a `blank` one."""

    def __init__(self, blank: str, instruction: str, language: str = "markdown") -> None:
        self._blank = blank
        rules = _CODE_RULES.format(language=language, more=_FORMAT_RULES.get(language, ""))
        self.messages = (
            PromptMessage("system", _WRITING_RULES if language in _PROSE else rules),
            PromptMessage("user", instruction),
        )
        """The prompt for the model."""

    def apply(self, reply: str) -> EditedText:
        """Return the text in `reply`. Raises EngineBroken if there is none."""
        text = _unwrapped(reply).strip()
        if not text:
            raise EngineBroken("The model wrote nothing; say it in other words, or choose another model.")
        return EditedText(text, (TextChange(1, "", text),))

    def reader(self) -> WritingReader:
        """Return a reader of one reply."""
        return WritingReader(len(self._blank))


class WritingReader:
    """Reads a text while it is written, in place of `blank` white characters.

    Where it begins with a code fence, only its end tells whether that belongs to it: then nothing is known before.
    """

    def __init__(self, blank: int) -> None:
        self._blank = blank
        self._held = ""
        self._has_begun = self._is_fenced = False

    def read(self, text: str) -> list[TextPatch]:
        """Take what the model wrote next, and return what is known to be in the text."""
        held = self._held + text
        if not self._has_begun:
            held = held.lstrip()
            self._is_fenced = self._is_fenced or held.startswith(_FENCE)
            if self._is_fenced or _FENCE.startswith(held):
                self._held = "" if self._is_fenced else held
                return []
        end = len(held.rstrip())
        known, self._held = held[:end], held[end:]
        if not known:
            return []
        start = self._blank if self._has_begun else 0
        self._has_begun = True
        return [TextPatch(start, self._blank, known)]


def split_pieces(source: str) -> list[Piece]:
    """Split a text into pieces; joined with what follows each, they are the text again."""
    pieces: list[Piece] = []
    for line in source.splitlines(keepends=True):
        body = line.rstrip()
        starts = [0]
        if len(body) > MAX_LINE_CHARS:
            starts += [match.end() for match in _SENTENCE.finditer(body)]
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            stretch = line[start:end]
            text = stretch.rstrip()
            pieces.append(Piece(text, stretch[len(text) :]))
    return pieces


def _shortest_swap(before: str, after: str) -> tuple[str, str] | None:
    """Return the words that change, and their replacement.

    The old words are long enough to occur only once in `before`. None if the whole piece is as short.
    """
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


def _unused_brackets(text: str) -> str:
    """Choose brackets that no line of the text starts a number with."""
    for pair in _BRACKETS:
        if re.search(rf"^{re.escape(pair[0])}\d+{re.escape(pair[1])}", text, re.MULTILINE) is None:
            return pair
    return _BRACKETS[-1]


def _unwrapped(reply: str) -> str:
    """Return a written text without the code fence that some models put around all of it."""
    first, *inner = reply.strip().split("\n")
    info = first.lstrip("`")
    fence = first[: len(first) - len(info)]
    if len(fence) < len(_FENCE) or not inner or inner.pop().strip() != fence:
        return reply
    fences = sum(line.lstrip().startswith(fence) for line in inner)
    is_whole = fences == 0 or (info.strip().casefold() in ("markdown", "md") and fences % 2 == 0)
    return "\n".join(inner) if is_whole else reply


def _unfenced(reply: str) -> str:
    """Return the reply without the code fence that some models put around it."""
    match = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", reply, re.DOTALL)
    return match[1] if match is not None else reply
