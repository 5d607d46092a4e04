"""A thread is copied into a new conversation, with files and sources, and goes on there by itself."""

from __future__ import annotations

import pytest

from tests.support import Server, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_thread_goes_on_in_a_conversation_of_its_own(fresh: Server) -> None:
    file = (await fresh.call("POST", "/api/files?name=rules.txt", data=b"Bikes are allowed inside.")).body["id"]
    id = await fresh.begin(title="Bikes")
    first = await fresh.say(id, "script: say=One.", files=[file])
    await fresh.say(id, "script: say=Two.")
    before = await fresh.tree(id)
    made = await fresh.post(f"/api/conversations/{id}/branch", {"message": first["id"]})
    assert made.status == 201
    assert (made.body["title"], made.body["branched_from"]) == ("Bikes (branch)", id)
    copy = await fresh.tree(made.body["id"])
    assert [text_of(message) for message in copy["messages"]] == ["script: say=One.", "One."]
    question, answer = copy["messages"]
    assert [each["id"] for each in question["files"]] == [file]
    assert (answer["passages"], answer["model"]) == (first["passages"], first["model"])
    assert not {message["id"] for message in copy["messages"]} & {message["id"] for message in before["messages"]}
    assert text_of(await fresh.say(made.body["id"], "script: say=Other.")) == "Other."
    assert await fresh.tree(id) == before
    assert (await fresh.call("DELETE", f"/api/conversations/{id}?forever=true")).status == 204
    assert (await fresh.get(f"/api/files/{file}")).status == 200
    assert [text_of(message) for message in (await fresh.tree(made.body["id"]))["messages"]][-1] == "Other."


async def test_a_branch_comes_back_from_an_export(fresh: Server) -> None:
    id = await fresh.begin(title="Bikes")
    answer = await fresh.say(id, "script: say=One.")
    made = (await fresh.post(f"/api/conversations/{id}/branch", {"message": answer["id"], "title": "Vélos"})).body
    exported = (await fresh.get(f"/api/conversations/{made['id']}/export?format=json")).body
    assert exported["conversation"]["branched_from"] == id
    plain = (await fresh.get(f"/api/conversations/{id}/export?format=json")).body
    assert "branched_from" not in plain["conversation"]


async def test_what_cannot_be_branched_is_said(server: Server) -> None:
    id = await server.begin()
    assert (await server.post(f"/api/conversations/{id}/branch", {"message": "msg_none"})).status == 404
    assert (await server.post("/api/conversations/conv_none/branch", {"message": "msg_none"})).status == 404
    begun = await server.ask(id, "script: words=100000 rate=200")
    refused = await server.post(f"/api/conversations/{id}/branch", {"message": begun["answer"]})
    assert (refused.status, "still answering" in refused.error["message"]) == (409, True)
    await server.post(f"/api/runs/{begun['run']}/stop")
