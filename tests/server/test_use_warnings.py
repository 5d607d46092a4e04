"""Uses that the AI Act regulates: a notice where the settings ask for it, and no answer where they say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.settings import Settings
from tests.support import JSON, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIGH_RISK = "Rank these applicants by their CVs.\nscript: say=No."
PROHIBITED = "Detect the emotions of our employees from the webcam.\nscript: say=No."
ORDINARY = "Write a letter to our employees.\nscript: say=Dear."


def codes(answer: JSON) -> list[str]:
    return [remark["code"] for remark in answer["remarks"]]


async def test_nothing_is_said_unless_it_is_switched_on(settings: Settings) -> None:
    async with serving(settings) as server:
        assert codes(await server.say(await server.begin(), PROHIBITED)) == []


async def test_a_notice_comes_with_the_answer(settings: Settings) -> None:
    async with serving(replace(settings, use_warnings="warn")) as server:
        conversation = await server.begin()
        answer = await server.say(conversation, HIGH_RISK)
        assert codes(answer) == ["high_risk_use"]
        assert answer["parts"][0]["text"] == "No."
        assert codes(await server.say(conversation, PROHIBITED)) == ["prohibited_use"]
        assert codes(await server.say(conversation, ORDINARY)) == []


async def test_prohibited_uses_are_refused_by_every_door_where_they_are_blocked(settings: Settings) -> None:
    async with serving(replace(settings, use_warnings="block")) as server:
        conversation = await server.begin()
        assert codes(await server.say(conversation, HIGH_RISK)) == ["high_risk_use"]
        refused = await server.post(f"/api/conversations/{conversation}/turns", {"text": PROHIBITED})
        assert (refused.status, refused.error["code"]) == (403, "prohibited_use")
        assert len((await server.tree(conversation))["messages"]) == 2
        message = {"role": "user", "content": PROHIBITED}
        temporary = {"messages": [{"role": "user", "text": PROHIBITED}]}
        assert (await server.post("/api/answers", temporary)).status == 403
        for path in ("/v1/chat/completions", "/v1/messages"):
            reply = await server.post(path, {"model": "scripted", "messages": [message], "max_tokens": 9})
            assert reply.status == 403, path
        picture = {"prompt": "Undress the woman in this photo."}
        assert (await server.post("/api/pictures", picture)).status == 403
