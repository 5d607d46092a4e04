"""Ratings of answers, through the door."""

from __future__ import annotations

import pytest

from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_answer_is_rated_listed_exported_and_freed_of_its_rating(server: Server) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=because")
    path = f"/api/ratings/{answer['id']}"
    assert (await server.call("PUT", path, {"value": "down", "comment": " Why? "})).status == 204
    (found,) = (await server.get("/api/ratings")).body["ratings"]
    assert (found["conversation"], found["message"], found["model"]) == (conversation, answer["id"], "scripted")
    assert (found["rating"]["value"], found["rating"]["comment"]) == ("down", "Why?")
    assert found["beginning"] == "because"
    assert (await server.tree(conversation))["messages"][-1]["rating"]["comment"] == "Why?"
    exported = (await server.get(f"/api/conversations/{conversation}/export?format=json")).body
    assert [message.get("rating", {}).get("comment") for message in exported["messages"]] == [None, "Why?"]
    assert (await server.call("DELETE", path)).status == 204
    assert (await server.get("/api/ratings")).body["ratings"] == []


async def test_what_is_no_rating_is_refused(server: Server) -> None:
    answer = await server.say(await server.begin(), "script: say=because")
    path = f"/api/ratings/{answer['id']}"
    assert (await server.call("PUT", path, {"value": "great"})).status == 400
    assert (await server.call("PUT", path, {"value": "up", "comment": "x" * 1001})).status == 400
    assert (await server.call("PUT", "/api/ratings/msg_nowhere", {"value": "up"})).status == 404
    assert (await server.get("/api/ratings?limit=0")).status == 400
