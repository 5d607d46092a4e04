"""A project says how its conversations are answered, and is shared without them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eclair.settings import Settings
from tests.server.test_accounts import Headers, member, set_up
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def project(server: Server, name: str = "Town", headers: Headers | None = None, **changes: Any) -> str:
    id = (await server.post("/api/projects", {"name": name}, headers=headers)).body["id"]
    if changes:
        reply = await server.call("PATCH", f"/api/projects/{id}", changes, headers=headers)
        assert reply.status == 200, reply
    return id


@pytest.fixture
def asked(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests of answers that engines have been given."""
    found: list[Any] = []
    stream = fresh.engine.stream

    def spy(request: Any) -> Any:
        if request.purpose == "answer":
            found.append(request)
        return stream(request)

    monkeypatch.setattr(fresh.engine, "stream", spy)
    return found


async def test_instructions_stand_below_those_of_the_person(fresh: Server, asked: list[Any]) -> None:
    await fresh.call("PUT", "/api/preferences", {"version": 0, "instructions": "Answer in rhyme."})
    id = await project(fresh, instructions="  Bikes are called velos here. ")
    conversation = await fresh.begin(project_id=id)
    await fresh.say(conversation, "script: words=1", system="Be brief.")
    assert asked[-1].messages[0].content == "Be brief.\n\nAnswer in rhyme.\n\nBikes are called velos here."
    await fresh.say(await fresh.begin(), "script: words=1", system="Be brief.")
    assert asked[-1].messages[0].content == "Be brief.\n\nAnswer in rhyme."
    assert (await fresh.call("DELETE", f"/api/projects/{id}")).status == 204
    await fresh.say(conversation, "script: words=1", system="Be brief.")
    assert asked[-1].messages[0].content == "Be brief.\n\nAnswer in rhyme."


async def test_only_the_tools_of_a_project_are_offered_in_it(fresh: Server, asked: list[Any]) -> None:
    id = await project(fresh)
    conversation = await fresh.begin(project_id=id)

    async def offered() -> list[str]:
        await fresh.say(conversation, "script: words=1")
        return [each["function"]["name"] for each in asked[-1].tools]

    every = await offered()
    assert len(every) > 1
    await fresh.call("PATCH", f"/api/projects/{id}", {"tools": every[:1]})
    assert await offered() == every[:1]
    await fresh.call("PATCH", f"/api/projects/{id}", {"tools": []})
    assert await offered() == []
    cleared = await fresh.call("PATCH", f"/api/projects/{id}", {"tools": None})
    assert cleared.body["tools"] is None
    assert await offered() == every


async def test_a_project_has_a_model_and_a_web_setting(fresh: Server) -> None:
    unknown = await fresh.call("PATCH", f"/api/projects/{await project(fresh, 'Lost')}", {"model": "none such"})
    assert unknown.status == 404
    id = await project(fresh, model="scripted", web="off")
    read = (await fresh.get(f"/api/projects/{id}")).body
    assert (read["model"], read["web"], read["access"], read["owner"]) == ("scripted", "off", "own", None)
    begun = await fresh.ask(await fresh.begin(project_id=id), "script: words=1")
    assert begun["model"] == "scripted"
    kept = await fresh.call("PATCH", f"/api/projects/{id}", {"name": "City", "model": None})
    assert (kept.body["name"], kept.body["model"], kept.body["web"]) == ("City", None, "off")
    listed = (await fresh.get("/api/projects?q=cit&order=recent")).body
    assert [(each["name"], each["conversations"]) for each in listed] == [("City", 1)]
    assert (await fresh.get("/api/projects/proj_none")).status == 404
    assert (await fresh.post("/api/conversations", {"project_id": "proj_none"})).status == 404


async def test_members_use_a_project_with_conversations_of_their_own(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ada = await member(house, admin, "ada-b")
        ben, his = await member(house, admin, "ben")
        id = await project(house, headers=ada, instructions="Be brief.")
        hers = (await house.post("/api/conversations", {"project_id": id}, headers=ada)).body["id"]
        assert (await house.get(f"/api/projects/{id}", his)).status == 404
        share = f"/api/projects/{id}/shares/person:{ben}"
        assert (await house.call("PUT", share, {"access": "view"}, headers=ada)).status == 204
        read = (await house.get(f"/api/projects/{id}", his)).body
        assert (read["access"], read["owner"], read["instructions"]) == ("view", "ada-b", "Be brief.")
        his_own = (await house.post("/api/conversations", {"project_id": id}, headers=his)).body["id"]
        assert (await house.get(f"/api/conversations/{hers}", his)).status == 404
        assert (await house.get(f"/api/conversations/{his_own}", ada)).status == 404
        listed = (await house.get(f"/api/conversations?project_id={id}", his)).body["conversations"]
        assert [each["id"] for each in listed] == [his_own]
        assert (await house.call("PATCH", f"/api/projects/{id}", {"name": "Mine"}, headers=his)).status == 403
        assert (await house.call("DELETE", f"/api/projects/{id}", headers=his)).status == 403
        denied = {"subject": f"person:{ben}", "object": f"project:{id}", "effect": "deny"}
        assert (await house.post("/api/grants", denied, headers=admin)).status == 201
        assert (await house.get("/api/projects", his)).body == []
        assert (await house.get(f"/api/projects/{id}", his)).status == 403
        assert (await house.post("/api/conversations", {"project_id": id}, headers=his)).status == 403
        assert (await house.call("DELETE", f"/api/projects/{id}", headers=ada)).status == 204
        left = (await house.get(f"/api/conversations/{his_own}", his)).body["conversation"]
        assert left["project_id"] is None
