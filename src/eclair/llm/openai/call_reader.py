"""Keeps answers to a request's `tool_choice`, whatever the server does about it. No I/O."""

from __future__ import annotations

from typing import Protocol

from eclair.llm.base import Delta, Request
from eclair.llm.openai.call_formats import OfferedTools
from eclair.llm.openai.dialects import Dialect
from eclair.llm.openai.forced_calls import ForcedCallParser, force_calls, must_call
from eclair.llm.openai.stream_parser import StreamParser
from eclair.llm.openai.text_calls import TextCallFinder


class CallReader(Protocol):
    """Reads tool calls from the deltas of an answer."""

    def convert(self, delta: Delta) -> list[Delta]: ...


class CallStreamParser(StreamParser):
    """Parses an answer whose text may hold calls."""

    def __init__(self, name: str, echo: str, calls: CallReader) -> None:
        super().__init__(name, echo)
        self._calls = calls

    def feed(self, chunk: bytes) -> list[Delta]:
        """See `AnswerParser.feed`."""
        return self._convert(super().feed(chunk))

    def finish(self) -> list[Delta]:
        """See `AnswerParser.finish`."""
        return self._convert(super().finish())

    def _convert(self, deltas: list[Delta]) -> list[Delta]:
        return [found for delta in deltas for found in self._calls.convert(delta)]


def keep_tool_choice(request: Request, dialect: Dialect) -> tuple[Request, CallReader | None]:
    """Return the request as this server is to be asked, and a reader of its answer if that may hold calls as text.

    Raises EngineRefused if the choice names a tool that the request lacks.
    """
    if not request.tools:
        return request, None
    if must_call(request) and not dialect.forces_calls:
        return force_calls(request), ForcedCallParser()
    if request.tool_choice == "none" or request.extra.get("logprobs"):
        return request, None
    only_one = request.extra.get("parallel_tool_calls") is False
    return request, TextCallFinder(OfferedTools(request.tools), only_one=only_one)
