"""Questions that may follow an answer, through the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from eclair.llm.base import Delta, Request
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = "script: words=3 next=Why_so?,Since_when?"


async def test_a_finished_answer_has_questions(server: Server) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, SCRIPT)
    path = f"/api/conversations/{conversation}/messages"
    reply = await server.post(f"{path}/{answer['id']}/follow-ups")
    assert reply.body == {"questions": ["Why so?", "Since when?"]}
    assert (await server.post(f"{path}/{answer['parent']}/follow-ups")).status == 409
    assert (await server.post(f"{path}/msg_none/follow-ups")).status == 404


async def test_the_next_question_goes_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, SCRIPT)
    stream, begun = server.engine.stream, asyncio.Event()

    async def hang(request: Request) -> AsyncGenerator[Delta, None]:
        if request.purpose == "follow_ups":
            begun.set()
            await asyncio.Event().wait()
        async with aclosing(stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    monkeypatch.setattr(server.engine, "stream", hang)
    path = f"/api/conversations/{conversation}/messages/{answer['id']}/follow-ups"
    suggesting = asyncio.create_task(server.post(path))
    await begun.wait()
    assert (await server.say(conversation, "script: words=3"))["status"] == "finished"
    assert (await suggesting).body == {"questions": []}
