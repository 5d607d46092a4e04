"""A project says how its conversations are answered, and is shared without them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from eclair.chat.projects import ProjectService
from eclair.errors import NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_documents import add, ready
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
        assert (await house.get(f"/api/conversations/{his_own}", his)).status == 200
        for headers in (his, admin):
            assert (await house.post(f"/api/projects/{id}/restore", {}, headers=headers)).status == 404
        assert (await house.post(f"/api/projects/{id}/restore", {}, headers=ada)).body["name"] == "Town"


async def test_a_member_shows_a_conversation_to_the_others_until_they_leave(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ada = await member(house, admin, "ada-b")
        ben, his = await member(house, admin, "ben")
        _, eve = await member(house, admin, "eve-b")
        id = await project(house, headers=ada)
        share = f"/api/projects/{id}/shares/person:{ben}"
        await house.call("PUT", share, {"access": "view"}, headers=ada)
        his_own = (await house.post("/api/conversations", {"title": "Bikes"}, headers=his)).body["id"]
        streamed = {**his, "Accept": "text/event-stream"}
        await house.post(f"/api/conversations/{his_own}/turns", {"text": "script: say=Velos."}, headers=streamed)
        shown, listed = f"/api/project-conversations/{his_own}", f"/api/project-conversations?project_id={id}"
        assert (await house.call("PUT", shown, {"project_id": id}, headers=ada)).status == 404, "it isn't hers"
        assert (await house.get(shown, ada)).status == 404
        assert (await house.call("PUT", shown, {"project_id": id}, headers=his)).status == 204
        (seen,) = (await house.get(listed, ada)).body["conversations"]
        assert (seen["title"], seen["author"], seen["may_hide"]) == ("Bikes", "ben", True)
        (own,) = (await house.get(listed, his)).body["conversations"]
        assert (own["author"], own["may_hide"]) == (None, True)
        read = (await house.get(shown, ada)).body
        assert (read["title"], read["author"]) == ("Bikes", "ben")
        assert [each["parts"][0]["text"] for each in read["messages"]] == ["script: say=Velos.", "Velos."]
        assert {each["id"] for each in read["messages"]} == {""}
        assert (await house.get(f"/api/conversations/{his_own}", ada)).status == 404
        assert (await house.get(f"{shown}/pictures/img_none", ada)).status == 404
        for path in (shown, listed):
            assert (await house.get(path, eve)).status == 404
        assert (await house.call("DELETE", shown, headers=eve)).status == 404
        assert (await house.call("DELETE", share, headers=ada)).status == 204
        assert (await house.get(shown, ada)).status == 404, "its author has left"
        assert (await house.get(listed, ada)).body["conversations"] == []
        await house.call("PUT", share, {"access": "edit"}, headers=ada)
        assert (await house.get(shown, ada)).status == 200
        assert (await house.call("DELETE", shown, headers=ada)).status == 204, "it is her project"
        assert (await house.get(shown, ada)).status == 404
        assert (await house.get(f"/api/conversations/{his_own}", his)).status == 200


async def test_questions_in_a_project_search_its_files_and_libraries(fresh: Server) -> None:
    id = await project(fresh, "Town hall")
    library = (await fresh.call("PUT", f"/api/projects/{id}/library")).body["library"]
    assert (await fresh.call("PUT", f"/api/projects/{id}/library")).body["library"] == library
    conversation = await fresh.begin(project_id=id)
    await fresh.say(conversation, "script: words=1")
    assert (await fresh.tree(conversation))["messages"][0]["libraries"] == [], "there is nothing to search yet"
    file = await ready(fresh, await add(fresh, "The tower is 40 metres high.", "tower.md", library))
    handbook = (await fresh.post("/api/libraries", {"name": "handbook"})).body["id"]
    await ready(fresh, await add(fresh, "Bikes are allowed inside.", "rules.md", handbook))
    edited = await fresh.call("PATCH", f"/api/projects/{id}", {"libraries": [handbook, "lib_gone"]})
    assert edited.body["libraries"] == [handbook, "lib_gone"]
    await fresh.say(conversation, "How high is the tower?", libraries=[handbook])
    (asked, answer) = (await fresh.tree(conversation))["messages"][-2:]
    assert [each["name"] for each in asked["libraries"]] == ["handbook", "Town-hall"]
    assert file["id"] in {each["file"] for each in answer["passages"]}
    deleted, there = f"/api/projects/{id}", f"/api/files/{file['id']}"
    assert (await fresh.call("DELETE", deleted)).status == 204
    assert (await fresh.get(there)).status == 404
    assert [each["id"] for each in (await fresh.get("/api/libraries")).body] == [handbook]
    assert (await fresh.get("/api/search?q=tower.md")).body["names"] == []
    assert (await fresh.post(f"{deleted}/restore", {})).body["library"] == library
    assert (await fresh.get(there)).status == 200
    assert (await fresh.call("DELETE", deleted)).status == 204
    app = fresh.app
    later = ProjectService(
        *(app.storage.projects, app.storage.libraries, app.changes, app.ingestor), clock=lambda: time.time() + 601
    )
    await app.projects.erase_deleted()
    await later.erase_deleted()
    assert (await fresh.post(f"{deleted}/restore", {})).status == 404
    assert (await fresh.tree(conversation))["conversation"]["project_id"] is None
    with pytest.raises(NotFound):
        await app.storage.libraries.delete_library(LOCAL_PRINCIPAL, library)


async def test_a_search_in_a_project_finds_what_is_in_it_alone(fresh: Server) -> None:
    id = await project(fresh, "Town hall")
    library = (await fresh.call("PUT", f"/api/projects/{id}/library")).body["library"]
    inside, outside = await fresh.begin(project_id=id, title="Tower plans"), await fresh.begin(title="Tower of cards")
    for conversation in (inside, outside):
        await fresh.say(conversation, "script: words=1 tower")
    file = await ready(fresh, await add(fresh, "The tower is 40 metres high.", "tower.md", library))
    await ready(fresh, await add(fresh, "A tower elsewhere.", "elsewhere-tower.md"))
    everywhere = (await fresh.get("/api/search?q=tower")).body
    assert {each["conversation"] for each in everywhere["hits"]} == {inside, outside}
    assert everywhere["passages"] == []
    found = (await fresh.get(f"/api/search?q=tower&project_id={id}")).body
    assert [each["conversation"] for each in found["hits"]] == [inside]
    assert [(each["kind"], each["name"]) for each in found["names"]] == [("file", "tower.md"), ("title", "Tower plans")]
    (passage,) = found["passages"]
    assert (passage["file"], passage["page"], passage["start"]) == (file["id"], 1, 0)
    assert "\ue000tower\ue001" in passage["excerpt"]
    assert (await fresh.get(f"/api/search?q=*&project_id={id}")).body == {"names": [], "hits": [], "passages": []}
    assert (await fresh.get("/api/search?q=tower&project_id=proj_none")).status == 404


async def test_what_is_kept_in_a_project_is_used_there_alone(fresh: Server, asked: list[Any]) -> None:
    assert (await fresh.post("/api/memories", {"text": "I live in Gent"})).status == 201
    id = await project(fresh)
    told = await fresh.post("/api/memories", {"text": "Bikes are called velos", "project_id": id})
    assert told.body["project_id"] == id

    async def head(**place: str) -> str:
        await fresh.say(await fresh.begin(**place), "script: words=1")
        return str(asked[-1].messages[0].content)

    within = await head(project_id=id)
    assert ("velos" in within, "Gent" in within) == (True, False)
    outside = await head()
    assert ("velos" in outside, "Gent" in outside) == (False, True)
    await fresh.call("PATCH", f"/api/projects/{id}", {"memory": "both"})
    both = await head(project_id=id)
    assert ("velos" in both, "Gent" in both) == (True, True)
    conversation = await fresh.begin(project_id=id)
    await fresh.say(conversation, "Remember that I take tea.")
    kept = (await fresh.get("/api/memories")).body["memories"][-1]
    assert (kept["text"], kept["project_id"]) == ("I take tea.", id)
    assert (await fresh.post("/api/memories", {"text": "x", "project_id": "proj_none"})).status == 404
    assert (await fresh.call("DELETE", f"/api/projects/{id}")).status == 204
    left = [each["text"] for each in (await fresh.get("/api/memories")).body["memories"]]
    assert left == ["I live in Gent"]


async def test_members_read_the_files_of_a_project_and_editors_change_them(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ada = await member(house, admin, "ada-b")
        ben, his = await member(house, admin, "ben")
        id = await project(house, headers=ada)
        share = f"/api/projects/{id}/shares/person:{ben}"
        await house.call("PUT", share, {"access": "view"}, headers=ada)
        assert (await house.call("PUT", f"/api/projects/{id}/library", headers=his)).status == 403
        library = (await house.call("PUT", f"/api/projects/{id}/library", headers=ada)).body["library"]
        upload = f"/api/files?name=a.txt&library={library}"
        assert (await house.call("POST", upload, data=b"Tower.", headers=his)).status == 403
        assert (await house.call("POST", upload, data=b"Tower.", headers=ada)).status < 300
        listed = (await house.get("/api/libraries", his)).body
        assert [(each["id"], each["access"], each["owner"]) for each in listed] == [(library, "view", "ada-b")]
        await house.call("PUT", share, {"access": "edit"}, headers=ada)
        assert (await house.call("POST", upload, data=b"Another.", headers=his)).status < 300
        assert (await house.call("DELETE", share, headers=ada)).status == 204
        assert (await house.get("/api/libraries", his)).body == []
