"""How many generators a token passes on its way from the engine to the client: each costs time at every token."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from eclair.chat.live_run import Batch, LiveRun
from eclair.llm.base import Delta, Request
from eclair.llm.scripted import ScriptedEngine
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAX_ABOVE_ENGINE = 4
"""The embedded engine is three itself, so that these make seven. One settles budgets, one asks again after calls."""

SCRIPT = "script: words=30 rate=200"
CHAT = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": SCRIPT}]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "scripted", "stream": True, "prompt": SCRIPT, "max_tokens": 100},
    "/v1/responses": {"model": "scripted", "stream": True, "input": SCRIPT},
    "/v1/messages": {**CHAT, "max_tokens": 100},
    "/api/answers": {"messages": [{"role": "user", "text": SCRIPT}]},
    "/api/conversations": {"turn": {"text": SCRIPT}},
}


def generators() -> int:
    """The asynchronous generators on the stack."""
    frame, count = inspect.currentframe(), 0
    while frame is not None:
        count += bool(frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR)
        frame = frame.f_back
    return count


@pytest.mark.parametrize("path", BODIES)
async def test_a_token_passes_few_generators(server: Server, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    above: list[int] = []
    below: list[int] = []
    live = LiveRun
    stream, next_batch = ScriptedEngine.stream, live.next

    async def counted(self: ScriptedEngine, request: Request) -> AsyncGenerator[Delta, None]:
        async for piece in stream(self, request):
            above.append(generators() - 1)
            yield piece

    async def followed(self: Any, after: int) -> Batch | None:
        below.append(generators())
        return await next_batch(self, after)

    monkeypatch.setattr(ScriptedEngine, "stream", counted)
    monkeypatch.setattr(live, "next", followed)
    headers = {"Accept": "text/event-stream"}
    reply = await server.post(path, BODIES[path], headers=headers)
    assert reply.status in (200, 202), reply
    assert len(above) > 3
    # The first piece is waited for by itself, with steps that say what for.
    assert max(above[1:]) + max(below, default=0) <= MAX_ABOVE_ENGINE
