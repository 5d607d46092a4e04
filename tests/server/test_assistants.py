"""Assistants: people set them up, begin conversations with them, and share them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from eclair.llm.scripted import ScriptedEngine
from eclair.schema.principal import Principal
from eclair.settings import Settings
from tests.server.test_accounts import member, set_up
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

COOK: JSON = {
    "name": "Cook",
    "description": "Knows recipes",
    "emoji": "🍲",
    "instructions": "Answer with a recipe.",
    "web": "off",
    "starters": ["What can I cook with leeks?"],
}


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def test_an_assistant_is_set_up_changed_and_deleted(fresh: Server) -> None:
    added = await fresh.post("/api/assistants", COOK)
    assert added.status == 201, added
    assert {name: added.body[name] for name in COOK} == COOK
    assert (added.body["access"], added.body["tools"], added.body["libraries"]) == ("own", None, [])
    assert (await fresh.get("/api/assistants")).body["assistants"] == [added.body]
    path = f"/api/assistants/{added.body['id']}"
    changed = await fresh.call("PUT", path, {"name": "Chef", "tools": ["run_python"]})
    assert (changed.body["name"], changed.body["instructions"], changed.body["tools"]) == ("Chef", "", ["run_python"])
    assert (await fresh.get(path)).body == changed.body
    twice = await fresh.post("/api/assistants", {"name": "CHEF"})
    assert (twice.status, "choose another name" in twice.error["message"]) == (409, True)
    assert (await fresh.call("DELETE", path)).status == 204
    assert (await fresh.call("DELETE", path)).status == 404
    assert (await fresh.get("/api/assistants")).body["assistants"] == []


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"name": " "}, "name"),
        ({"name": "a" * 61}, "name"),
        ({"name": "a", "instructions": "x" * 20_001}, "instructions"),
        ({"name": "a", "instructions": "x\0"}, "instructions"),
        ({"name": "a", "emoji": "two words"}, "emoji"),
        ({"name": "a", "web": "maybe"}, "web"),
        ({"name": "a", "tools": ["rm -rf"]}, "tools.0"),
        ({"name": "a", "libraries": ["handbook"]}, "libraries.0"),
        ({"name": "a", "starters": [""]}, "starters.0"),
        ({"name": "a", "starters": ["x"] * 9}, "starters"),
        ({"name": "a", "owner": "me"}, "owner"),
    ],
)
async def test_what_is_wrong_is_named(fresh: Server, wrong: JSON, name: str) -> None:
    reply = await fresh.post("/api/assistants", wrong)
    assert (reply.status, reply.error["param"]) == (400, name)


async def test_a_library_must_be_one_that_can_be_read(fresh: Server) -> None:
    reply = await fresh.post("/api/assistants", {"name": "a", "libraries": ["lib_00000000000000000000000000"]})
    assert (reply.status, "There is no library" in reply.error["message"]) == (404, True)


async def test_its_conversations_have_its_instructions_model_and_web(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stream = ScriptedEngine.stream

    def noting(self: ScriptedEngine, request: Any) -> Any:
        if request.messages[0].role == "system":  # titles have none
            asked.append(request)
        return stream(self, request)

    monkeypatch.setattr(ScriptedEngine, "stream", noting)
    cook = (await fresh.post("/api/assistants", {**COOK, "model": "scripted", "tools": []})).body
    begun = await fresh.post("/api/conversations", {"assistant_id": cook["id"]})
    conversation = begun.body
    assert (begun.status, conversation["assistant_id"]) == (201, cook["id"])
    assert (conversation["model"], conversation["web"]) == ("scripted", "off"), "they are those of the assistant"
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Hello"))["run"])
    head = f"{fresh.app.settings.system_prompt}\n\nAnswer with a recipe."
    assert asked[-1].messages[0].content == head
    assert not asked[-1].tools
    renamed: JSON = {**COOK, "name": "Chef", "description": "Knows more", "starters": []}
    await fresh.call("PUT", f"/api/assistants/{cook['id']}", renamed)
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Again"))["run"])
    assert asked[-1].messages[0].content == head, "a new name or description leaves the head as it was"
    await fresh.call("DELETE", f"/api/assistants/{cook['id']}")
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Still"))["run"])
    assert asked[-1].messages[0].content == fresh.app.settings.system_prompt, "the conversation goes on without it"
    assert (await fresh.post("/api/conversations", {"assistant_id": cook["id"]})).status == 404
    named = {"assistant_id": cook["id"], "messages": [{"role": "user", "text": "script: say=a"}]}
    assert (await fresh.post("/api/answers", named)).status == 404


async def test_it_is_a_model_of_v1(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    stream = ScriptedEngine.stream

    def noting(self: ScriptedEngine, request: Any) -> Any:
        if request.messages[0].role == "system":  # titles have none
            asked.append(request)
        return stream(self, request)

    monkeypatch.setattr(ScriptedEngine, "stream", noting)
    await fresh.post("/api/assistants", COOK)
    assert "assistant:Cook" in [each["id"] for each in (await fresh.get("/v1/models")).body["data"]]
    assert (await fresh.get("/v1/models/assistant:Cook")).body["name"] == "Cook"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "script: say=Soup"}]
    reply = await fresh.post("/v1/chat/completions", {"model": "assistant:cook", "messages": messages})
    assert reply.body["choices"][0]["message"]["content"] == "Soup", reply
    assert asked[-1].messages[0].content.startswith("Answer with a recipe.")
    assert asked[-1].messages[0].content.endswith("Be brief.")
    missing = await fresh.post("/v1/chat/completions", {"model": "assistant:Baker", "messages": messages})
    assert (missing.status, "no assistant" in missing.error["message"]) == (404, True)


async def test_files_go_out_and_come_in(fresh: Server) -> None:
    cook = (await fresh.post("/api/assistants", COOK)).body
    file = await fresh.get(f"/api/assistants/{cook['id']}/export")
    assert (file.body["format"], file.body["name"]) == ("eclair.assistant", "Cook")
    taken = await fresh.post("/api/assistants/import", file.body)
    assert taken.status == 409, "the name is taken"
    await fresh.call("DELETE", f"/api/assistants/{cook['id']}")
    back = (await fresh.post("/api/assistants/import", file.body)).body
    assert {name: back["assistant"][name] for name in COOK} == COOK
    gpt = {"name": "GPT", "instructions": "x", "tools": [{"type": "function", "function": {"name": "f"}}]}
    taken = await fresh.post("/api/assistants/import", gpt)
    assert (taken.status, taken.body["left_out"]) == (201, ["function: f"])
    wrong = await fresh.post("/api/assistants/import", {"a": 1})
    assert (wrong.status, "holds no assistant" in wrong.error["message"]) == (400, True)


async def test_a_shared_assistant_is_used_changed_and_taken_back(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    library = (await house.post("/api/libraries", {"name": "recipes"}, headers=owner)).body["id"]
    added = await house.post("/api/assistants", {**COOK, "libraries": [library]}, headers=owner)
    path = f"/api/assistants/{added.body['id']}"
    assert (await house.get(path, headers)).status == 404
    assert (await house.call("PUT", path, COOK, headers=headers)).status == 404
    assert (await house.post("/api/conversations", {"assistant_id": added.body["id"]}, headers=headers)).status == 404
    shares = f"{path}/shares/person:{ben}"
    assert (await house.call("PUT", shares, {"access": "view"}, headers=owner)).status == 204
    seen = (await house.get(path, headers)).body
    assert (seen["access"], seen["owner"], seen["instructions"]) == ("view", "ada-b", COOK["instructions"])
    assert (seen["libraries"], seen["hidden_libraries"]) == ([], 1), "the library isn't shared"
    assert (await house.call("PUT", path, COOK, headers=headers)).status == 403
    begun = await house.post("/api/conversations", {"assistant_id": added.body["id"]}, headers=headers)
    assert begun.status == 201
    assert (await house.call("PUT", shares, {"access": "edit"}, headers=owner)).status == 204
    assert (await house.call("PUT", path, {**COOK, "name": "Chef"}, headers=headers)).body["access"] == "edit"
    kept = (await house.get(path, owner)).body
    assert (kept["name"], [each["name"] for each in kept["libraries"]]) == ("Chef", ["recipes"]), (
        "what ben can't see stays"
    )
    assert (await house.call("DELETE", path, headers=headers)).status == 403
    assert (await house.get(f"{path}/shares", headers)).status == 403
    assert (await house.call("DELETE", shares, headers=owner)).status == 204
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []


async def test_a_right_hides_an_assistant_and_deny_wins(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/assistants", COOK, headers=owner)).body["id"]
    await house.call("PUT", f"/api/assistants/{id}/shares/everyone", {"access": "edit"}, headers=owner)
    begun = (await house.post("/api/conversations", {"assistant_id": id}, headers=headers)).body
    allowed = {"subject": f"person:{ben}", "object": f"assistant:{id}", "effect": "allow"}
    assert (await house.post("/api/grants", allowed, headers=admin)).status == 201
    denied = {"subject": "everyone", "object": f"assistant:{id}", "effect": "deny"}
    assert (await house.post("/api/grants", denied, headers=admin)).status == 201
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []
    assert (await house.get(f"/api/assistants/{id}", headers)).status == 404
    assert (await house.call("PUT", f"/api/assistants/{id}", COOK, headers=headers)).status == 404
    assert begun["assistant_id"] == id
    assert await house.app.assistants.find(Principal(ben), id) is None, "conversations go on without it"


async def test_an_assistant_goes_with_its_owner(house: Server) -> None:
    admin = await set_up(house)
    ada, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/assistants", COOK, headers=owner)).body["id"]
    await house.call("PUT", f"/api/assistants/{id}/shares/person:{ben}", {"access": "view"}, headers=owner)
    await house.app.storage.personal_data.erase_rows(Principal(ada))
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []
