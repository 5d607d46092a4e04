"""Ratings of answers, through the door."""

from __future__ import annotations

import orjson
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


async def test_ratings_are_exported_with_reason_question_and_answer(server: Server) -> None:
    conversation = await server.begin()
    answer = await server.say(conversation, "script: say=because")
    body = {"value": "down", "reason": "incomplete", "comment": "Why?"}
    assert (await server.call("PUT", f"/api/ratings/{answer['id']}", body)).status == 204
    reply = await server.get("/api/ratings/export")
    assert reply.headers["Content-Type"].startswith("application/x-ndjson")
    (line,) = [each for each in map(orjson.loads, reply.raw.splitlines()) if each["conversation"] == conversation]
    assert line.pop("created") > 0
    assert line == {
        "kind": "rating",
        **body,
        "conversation": conversation,
        "prompt": [{"role": "user", "content": "script: say=because"}],
        "answer": {"message": answer["id"], "model": "scripted", "text": "because"},
    }
    assert (await server.call("PUT", f"/api/ratings/{answer['id']}", {"value": "up", "reason": "wrong"})).status == 204
    (found,) = [each for each in (await server.get("/api/ratings")).body["ratings"] if each["message"] == answer["id"]]
    assert found["rating"]["reason"] is None  # a good answer has none
    assert (await server.call("PUT", f"/api/ratings/{answer['id']}", {"value": "down", "reason": "?"})).status == 400
    assert (await server.call("DELETE", f"/api/ratings/{answer['id']}")).status == 204


async def test_what_is_no_rating_is_refused(server: Server) -> None:
    answer = await server.say(await server.begin(), "script: say=because")
    path = f"/api/ratings/{answer['id']}"
    assert (await server.call("PUT", path, {"value": "great"})).status == 400
    assert (await server.call("PUT", path, {"value": "up", "comment": "x" * 1001})).status == 400
    assert (await server.call("PUT", "/api/ratings/msg_nowhere", {"value": "up"})).status == 404
    assert (await server.get("/api/ratings?limit=0")).status == 400
