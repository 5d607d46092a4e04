"""A model opens and changes canvases while it answers, where the person asked for one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import pairwise

import orjson
import pytest

from eclair.llm.base import Delta, Request
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.text.intent.canvas import names_canvas
from tests.chat.test_calls import decide, until_waiting
from tests.generation.test_injections import upload
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


def call(name: str, arguments: JSON) -> str:
    return f"Into the canvas, please.\nscript: tool={name}{orjson.dumps(arguments).decode()}"


def results(answer: JSON) -> list[str]:
    return [part["text"] for part in answer["parts"] if part["kind"] == "tool_result"]


async def canvases(server: Server, conversation: str) -> list[JSON]:
    return list((await server.get(f"/api/conversations/{conversation}/canvases")).body["canvases"])


async def test_a_model_opens_a_canvas_and_changes_it(server: Server) -> None:
    conversation = await server.begin()
    made = await server.say(conversation, call("open_canvas", {"title": "Letter", "text": "Dear_Ada_and_Ada"}))
    [canvas] = await canvases(server, conversation)
    assert (canvas["title"], canvas["language"]) == ("Letter", "markdown")
    assert canvas["id"] in results(made)[0]
    wrong = await server.say(
        conversation, call("edit_canvas", {"canvas": canvas["id"], "changes": [{"old": "Ada", "new": "Grace"}]})
    )
    assert results(wrong)[0] == "Error: 'Ada' stands in the text 2 times, not once; nothing was changed."
    assert wrong["calls"][0]["fault"] == {
        "code": "text_not_unique",
        "message": "“Ada” stands in the text 2 times, not once; nothing was changed.",
    }
    long = {"canvas": canvas["id"], "changes": [{"old": "It's\n\n" + "long_" * 100, "new": ""}]}
    [call_made] = (await server.say(conversation, call("edit_canvas", long)))["calls"]
    assert call_made["fault"]["message"].startswith("“It's long_long_")
    assert call_made["fault"]["message"].endswith("long_…” stands in the text 0 times, not once; nothing was changed.")
    assert len(call_made["fault"]["message"]) < 200
    [call_made] = (await server.say(conversation, call("edit_canvas", {"canvas": "canv_" + "x" * 200})))["calls"]
    assert call_made["fault"]["message"].endswith("canvas: String should have at most 100 characters.")
    right = await server.say(
        conversation, call("edit_canvas", {"canvas": canvas["id"], "changes": [{"old": "Dear", "new": "Hello"}]})
    )
    assert results(right)[0] == "The canvas is changed; it is version 2 now."
    path = f"/api/conversations/{conversation}/canvases/{canvas['id']}"
    found = (await server.get(path)).body
    assert found["text"] == "Hello_Ada_and_Ada"
    assert (found["versions"][1]["author"], found["versions"][1]["model"]) == ("model", "scripted")
    read = await server.say(conversation, call("edit_canvas", {"canvas": canvas["id"]}))
    assert results(read)[0] == "Hello_Ada_and_Ada"


async def waiting(server: Server, conversation: str, text: str, decision: str, **more: JSON | list[str]) -> JSON:
    """Ask for a call that has to wait, decide on it, and return the answer."""
    run = (await server.ask(conversation, text, **more))["run"]
    [asked] = (await until_waiting(server, run))["calls"]
    assert (asked["needs_approval"], asked["has_begun"]) == (True, False)
    assert await decide(server, run, asked["call"], decision) == 202
    return await server.answered(run)


async def test_beside_a_file_each_change_is_asked_for_and_reading_is_not(server: Server) -> None:
    conversation = await server.begin()
    file = await upload(server, "tower.txt", b"The tower is 330 metres high.\n")
    await server.app.tool_permissions.give(LOCAL_PRINCIPAL, "open_canvas", "", None)
    opening = call("open_canvas", {"title": "Tower", "text": "330_metres"})
    made = await waiting(server, conversation, opening, "once", files=[file["id"]])
    [canvas] = await canvases(server, conversation)
    assert canvas["id"] in results(made)[0]
    read = await server.say(conversation, call("edit_canvas", {"canvas": canvas["id"]}))
    assert results(read)[0] == "330_metres"
    change = {"canvas": canvas["id"], "changes": [{"old": "330", "new": "300"}]}
    await waiting(server, conversation, call("edit_canvas", change), "declined")
    assert [each["current"] for each in await canvases(server, conversation)] == [1]
    await waiting(server, conversation, call("edit_canvas", change), "once")
    assert [each["current"] for each in await canvases(server, conversation)] == [2]
    await waiting(server, conversation, opening, "declined")


async def test_a_canvas_of_another_conversation_stays_as_it_is(server: Server) -> None:
    one, other = await server.begin(), await server.begin()
    await server.say(one, call("open_canvas", {"title": "A", "text": "one"}))
    await server.say(other, call("open_canvas", {"title": "B", "text": "two"}))
    [canvas] = await canvases(server, one)
    tried = await server.say(
        other, call("edit_canvas", {"canvas": canvas["id"], "changes": [{"old": "one", "new": "three"}]})
    )
    assert "in another conversation" in results(tried)[0]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that the scripted engine gets."""
    requests: list[Request] = []
    stream = ScriptedEngine.stream

    def record(engine: ScriptedEngine, request: Request) -> AsyncGenerator[Delta, None]:
        if request.purpose == "answer":
            requests.append(request)
        return stream(engine, request)

    monkeypatch.setattr(ScriptedEngine, "stream", record)
    return requests


def question(request: Request) -> str:
    return str([each.content for each in request.messages if each.role == "user"][-1])


async def test_the_head_of_the_prompt_stays_whatever_is_opened(server: Server, asked: list[Request]) -> None:
    conversation = await server.begin()
    await server.say(conversation, call("open_canvas", {"title": "Letter", "text": "Dear_Ada"}))
    await server.say(conversation, call("open_canvas", {"title": "Reply", "text": "Dear_Bob"}))
    changes = [{"old": "Bob", "new": "Eve"}]
    canvas = next(each for each in await canvases(server, conversation) if each["title"] == "Reply")
    await server.say(conversation, call("edit_canvas", {"canvas": canvas["id"], "changes": changes}))
    named = [tool for tool in asked[0].tools if tool["function"]["name"] in ("open_canvas", "edit_canvas")]
    assert len(named) == 2
    assert "Letter" not in str(named)
    for before, after in pairwise(asked):
        assert after.tools == before.tools
        assert after.messages[: len(before.messages)] == before.messages
    assert "canv_" not in question(asked[-1]).partition("script:")[0]


async def test_a_canvas_of_the_person_is_named_beside_the_question(server: Server, asked: list[Request]) -> None:
    conversation = await server.begin()
    await server.say(conversation, "script: say=Hello.")
    body = {"title": "Plan <b>", "language": "markdown", "text": "one"}
    made = (await server.post(f"/api/conversations/{conversation}/canvases", body)).body["canvas"]["id"]
    await server.say(conversation, "script: say=Well?")
    listed = f"Canvases beside this conversation that it doesn't name yet:\n- {made}: Plan"
    assert question(asked[-1]).startswith(listed)
    read = await server.say(conversation, call("edit_canvas", {"canvas": made}))
    assert results(read) == ["one"]
    assert read["calls"][0]["summary"] == "Read the canvas “Plan <b>”"
    await server.say(conversation, "script: say=And now?")
    assert question(asked[-1]).startswith("script: say=And now?")


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("Write it into a canvas.", True),
        ("Mets-le dans le canevas.", True),
        ("Γράψ' το στον καμβά.", True),
        ("Write a letter.", False),
    ],
)
async def test_questions_name_the_canvas_in_any_language(text: str, is_named: bool) -> None:
    assert names_canvas(text) == is_named
