"""A model that researches, for tests: it does what it is told in each round of a sub-agent, and says as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence

import orjson

from eclair.llm.base import Delta, Finish, Request, Text, TokenUsage, ToolCall
from tests.acting import Act

PLAN, AGENT, FURTHER = "questions that have to be looked into", "You look into one question", "two further questions"


class Researcher:
    """Streams in place of an engine: `acts` are the rounds of its sub-agents, by question; `says` is all it writes."""

    def __init__(self, acts: dict[str, list[Act]], *, further: str = "none.", says: str = "") -> None:
        self.acts = acts
        self.further = further
        self.says = says
        self.requests: list[Request] = []
        self._held: dict[str, threading.Event] = {}

    def hold(self, question: str) -> threading.Event:
        """Have the sub-agent of a question wait in each round until the event is set."""
        return self._held.setdefault(question, threading.Event())

    def of(self, question: str) -> list[Request]:
        """The requests of a question's sub-agent."""
        return [each for each in self.requests if AGENT in asked(each) and f"\n{question}\n" in asked(each)]

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        act: Act = self.says
        if PLAN in asked(request):
            act = "\n".join(self.acts)
        elif FURTHER in asked(request):
            act = self.further
        elif AGENT in asked(request):
            question = next(each for each in self.acts if f"\n{each}\n" in asked(request))
            while question in self._held and not self._held[question].is_set():  # noqa: ASYNC110 (another thread sets it)
                await asyncio.sleep(0.01)
            rounds = sum(bool(message.tool_calls) for message in request.messages)
            act = self.acts[question][min(rounds, len(self.acts[question]) - 1)]
        if request.tool_choice == "none" and isinstance(act, list):
            act = "- It ran out of calls."
        if isinstance(act, Exception):
            raise act
        if isinstance(act, str):
            yield Text(act)
        else:
            for number, (name, arguments) in enumerate(act):
                yield ToolCall(number, None, name, orjson.dumps(arguments).decode())
        yield TokenUsage(100, 10)
        yield Finish("stop" if isinstance(act, str) else "tool_calls")


def asked(request: Request) -> str:
    """The last question of a request."""
    return next((str(each.content) for each in reversed(request.messages) if each.role == "user"), "")


def searching(question: str, *, notes: Sequence[str]) -> list[Act]:
    """The rounds of a sub-agent that searches once and takes notes."""
    return [[("search_web", {"query": question})], "\n".join(f"- {note}" for note in notes)]
