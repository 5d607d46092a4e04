"""The scripted engine as a model that does what a test says, not what the question says: calls, then words."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson

from eclair.llm.base import Delta, Finish, Request, Text, ToolCall
from tests.support import JSON, Server

Act = str | Exception | list[tuple[str, dict[str, Any]]]
"""A round of the model: words, an error, or calls by name with their arguments."""


class Actor:
    """Acts in the rounds of every answer; `requests` are those that it was asked with."""

    def __init__(self, server: Server) -> None:
        self.acts: list[Act] = []
        self.requests: list[Request] = []
        self._stream = server.engine.stream
        server.engine.stream = self._act

    def plays(self, *acts: Act) -> None:
        """Take the rounds of the answers that follow."""
        self.acts = list(acts)
        self.requests.clear()

    async def _act(self, request: Request) -> AsyncGenerator[Delta, None]:
        if request.purpose != "answer" or not self.acts:
            async for delta in self._stream(request):
                yield delta
            return
        self.requests.append(request)
        since = max(number for number, message in enumerate(request.messages) if message.role == "user")
        act = self.acts[sum(bool(message.tool_calls) for message in request.messages[since:])]
        if isinstance(act, Exception):
            raise act
        if isinstance(act, str):
            yield Text(act)
            yield Finish("stop")
            return
        for number, (name, arguments) in enumerate(act):
            yield ToolCall(number, None, name, orjson.dumps(arguments).decode())
        yield Finish("tool_calls")

    @property
    def tools(self) -> set[str]:
        """The names of the tools that it was last offered."""
        return {str(tool["function"]["name"]) for tool in self.requests[-1].tools}


def results(message: JSON) -> list[str]:
    """The results of a message's calls, in their order, as the model saw them."""
    found = {part["id"]: part["text"] for part in message["parts"] if part["kind"] == "tool_result"}
    return [found[call["call"]] for call in message["calls"]]
