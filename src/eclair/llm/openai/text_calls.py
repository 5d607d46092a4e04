"""Finds tool calls that a model writes as text while it answers, and leaves all other text as it is. No I/O.

Text is held back only while it can still become a call: from what opens one until a word that no call has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from eclair.llm.base import Delta, Finish, Text, ToolCall
from eclair.llm.openai.call_formats import (
    TAGS,
    CallStart,
    OfferedTools,
    WrittenCall,
    judge_start,
    new_call_id,
    parse_calls,
)

_OPENER = re.compile(r"(?<=\n)(?:```|\{|\[(?=[\s{]))|" + "|".join(map(re.escape, TAGS)))
_MAX_TAG_CHARS = max(map(len, TAGS))
_JSON_TOKEN = re.compile(r'["\\{}\[\]]|[^"\\{}\[\]]+')

MAX_START_CHARS = 500
"""The start of a call until its name is known; anything longer is no call."""


class _JsonEnd:
    """Finds where a JSON value ends while it comes."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._is_escaped = False

    def find(self, text: str) -> int | None:
        """Return how much of `text` still belongs to the value; None if it goes on."""
        for token in _JSON_TOKEN.finditer(text):
            if self._is_escaped:
                self._is_escaped = False
            elif self._in_string:
                self._is_escaped, self._in_string = token[0] == "\\", token[0] != '"'
            elif token[0] == '"':
                self._in_string = True
            elif token[0] in "{[":
                self._depth += 1
            elif token[0] in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return token.end()
        return None


class _MarkEnd:
    """Finds where a mark ends while the text before it comes; an empty mark never does."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._last = ""

    def find(self, text: str) -> int | None:
        """Return how much of `text` goes up to the end of the mark; None if it hasn't come."""
        joined = self._last + text
        at = joined.find(self._mark) if self._mark else -1
        if at < 0:
            self._last = joined[len(joined) - len(self._mark) + 1 :] if self._mark else ""
            return None
        return at + len(self._mark) - len(joined) + len(text)


class _NoCall(Exception):
    """Text that opened like a call is none."""


@dataclass(slots=True)
class _Candidate:
    """A piece of text that may be a call, from its opener on."""

    opener: str
    tools: OfferedTools
    pieces: list[str] = field(default_factory=list[str])
    end: _JsonEnd | _MarkEnd | None = None
    """Looks for its end, once it has begun like a call."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def feed(self, text: str) -> str | None:
        """Take more; return what comes after its end, None until then. Raises _NoCall if it doesn't begin like one."""
        self.pieces.append(text)
        if self.end is None:
            start = self.text
            match judge_start(self.opener, start[:MAX_START_CHARS], self.tools):
                case CallStart.NONE:
                    raise _NoCall
                case CallStart.UNDECIDED if len(start) >= MAX_START_CHARS:
                    raise _NoCall
                case CallStart.UNDECIDED:
                    return None
                case CallStart.CALL:
                    mark = "\n```" if self.opener == "```" else TAGS.get(self.opener)
                    self.end = _JsonEnd() if mark is None else _MarkEnd(mark)
                    self.pieces, text = [start], start
        found = self.end.find(text)
        if found is None:
            return None
        self.pieces[-1], rest = text[:found], text[found:]
        return rest

    def calls(self) -> list[WrittenCall]:
        """Parse it; empty if it is no call."""
        return parse_calls(self.opener, self.text, self.tools) if self.end is not None else []


class TextCallFinder:
    """Turns calls among an answer's text into tool calls. With `only_one`, further ones are dropped."""

    def __init__(self, tools: OfferedTools, *, only_one: bool = False) -> None:
        self._tools = tools
        self._only_one = only_one
        self._rest = ""
        """Text that is not decided on, if no candidate has it."""
        self._before = "\n"
        """The character before `_rest`: text begins a line."""
        self._candidate: _Candidate | None = None
        self._in_fence = False
        self._takes_bare = True
        """JSON without a mark around it is taken until some of it turned out to be no call."""
        self._gap: str | None = None
        """Space after a call; None after words."""
        self._found = 0
        self._has_native = False

    def convert(self, delta: Delta) -> list[Delta]:
        """Convert a delta of the engine: calls in its text become tool calls, everything else stays."""
        match delta:
            case Text(text=text) if not self._has_native:
                return self._feed(text)
            case ToolCall():
                self._has_native = True
                return [*self._finish(), replace(delta, index=delta.index + self._found)]
            case Finish(reason=reason):
                held = self._finish()
                return [*held, replace(delta, reason="tool_calls") if self._found and reason == "stop" else delta]
            case _:
                return [delta]

    def _feed(self, text: str) -> list[Delta]:
        deltas: list[Delta] = []
        while text:
            text = self._continue(text, deltas) if self._candidate is not None else self._look(text, deltas)
        return deltas

    def _look(self, text: str, deltas: list[Delta]) -> str:
        """Pass on text up to what may open a call; return what follows."""
        seen = self._before + self._rest + text
        opener = self._next_opener(seen)
        end = self._open_end(seen) if opener is None else opener.start()
        self._say(seen[1:end], deltas)
        self._before, self._rest = seen[end - 1], ""
        if opener is None:
            self._rest = seen[end:]
            return ""
        self._candidate = _Candidate(opener[0], self._tools)
        return seen[end:]

    def _next_opener(self, seen: str) -> re.Match[str] | None:
        """Find what may open a call. A fence of something else is passed over to its end."""
        at = 1
        while (found := _OPENER.search(seen, at)) is not None:
            at = found.end()
            if self._in_fence:
                self._in_fence = found[0] != "```"
            elif found[0] not in ("{", "[") or self._takes_bare:
                return found
        return None

    def _open_end(self, seen: str) -> int:
        """Return where the end of the text begins that may turn out to open a call."""
        if seen.endswith(("\n`", "\n``")):
            return seen.rindex("\n") + 1
        at = max(seen.rfind(first, max(1, len(seen) - _MAX_TAG_CHARS)) for first in "<[")
        return at if at > 0 and any(tag.startswith(seen[at:]) for tag in TAGS) else len(seen)

    def _continue(self, text: str, deltas: list[Delta]) -> str:
        """Let the candidate take its text; return what follows it."""
        candidate = self._candidate
        assert candidate is not None
        try:
            rest = candidate.feed(text)
        except _NoCall:
            self._candidate, rest = None, candidate.text[len(candidate.opener) :]
            self._in_fence = candidate.opener == "```"
            self._pass_over(candidate.opener, candidate.opener, deltas)
            return rest
        if rest is None:
            return ""
        self._decide(candidate, deltas)
        return rest

    def _decide(self, candidate: _Candidate, deltas: list[Delta]) -> None:
        """End a candidate: with its calls, or with its text as it is."""
        self._candidate = None
        calls = candidate.calls()
        if not calls:
            self._pass_over(candidate.opener, candidate.text, deltas)
            return
        self._before, self._gap = candidate.text[-1], ""
        for call in calls:
            if not (self._only_one and self._found):
                deltas.append(ToolCall(self._found, new_call_id(), call.name, call.arguments, is_written=True))
                self._found += 1

    def _pass_over(self, opener: str, text: str, deltas: list[Delta]) -> None:
        self._takes_bare = self._takes_bare and opener not in ("{", "[")
        self._before = text[-1]
        self._say(text, deltas)

    def _say(self, text: str, deltas: list[Delta]) -> None:
        """Pass on text. Space after a call waits for words, and goes with the next call."""
        if self._gap is not None and (not text or text.isspace()):
            self._gap += text
        elif text:
            text, self._gap = (self._gap or "") + text, None
            if deltas and isinstance(last := deltas[-1], Text):
                deltas[-1] = Text(last.text + text)
            else:
                deltas.append(Text(text))

    def _finish(self) -> list[Delta]:
        """Return what is held back at the end."""
        deltas: list[Delta] = []
        if self._candidate is not None:
            self._decide(self._candidate, deltas)
        self._say(self._rest, deltas)
        self._rest = ""
        return deltas
