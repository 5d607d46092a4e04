"""`/api` as docs/api.md has it: conversations, turns, branches, search, models, health, streams."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from eclair.generation import first_delta
from eclair.schema.events import RunFinished, RunStarted, StepProgressed
from eclair.schema.ids import new_id
from eclair.schema.messages import Hit
from eclair.schema.models import Model
from eclair.server import sse
from eclair.settings import Settings
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.conversations import SQLConversationStore
from eclair.storage.sql.store import search
from tests.support import JSON, Server, check_log, parse, serving, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def whole(server: Server, conversation: str) -> list[JSON]:
    messages: list[JSON] = (await server.tree(conversation))["messages"]
    return messages


# Conversations


async def test_a_conversation_is_made_named_and_deleted(server: Server) -> None:
    made = await server.post("/api/conversations", {})
    assert made.status == 201
    id = made.body["id"]
    assert made.body["title"] == ""
    assert made.body["leaf"] is None
    assert (await server.get(f"/api/conversations/{id}")).body == {
        "conversation": made.body,
        "messages": [],
        "running": None,
    }
    renamed = await server.call("PATCH", f"/api/conversations/{id}", {"title": "Bread"})
    assert renamed.status == 200
    assert renamed.body == {**made.body, "title": "Bread"}
    assert (await server.call("DELETE", f"/api/conversations/{id}")).status == 204
    for method in ("GET", "DELETE"):
        gone = await server.call(method, f"/api/conversations/{id}")
        assert gone.status == 404
        assert id in gone.error["message"]


async def test_a_conversation_may_be_made_again_without_harm(server: Server) -> None:
    id = new_id("conv")
    first = await server.post("/api/conversations", {"id": id, "title": "One"})
    again = await server.post("/api/conversations", {"id": id, "title": "Two"})
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body


async def test_a_conversation_is_made_with_its_first_turn(server: Server) -> None:
    id, question = new_id("conv"), new_id("msg")
    body = {"id": id, "title": "Bread", "turn": {"id": question, "text": "script: say=Yes."}}
    begun = await server.post("/api/conversations", body)
    assert begun.status == 202
    assert (begun.body["conversation"], begun.body["message"]) == (id, question)
    assert text_of(await server.answered(begun.body["run"])) == "Yes."
    assert (await server.tree(id))["conversation"]["title"] == "Bread"
    again = await server.post("/api/conversations", body)
    assert (again.status, again.body) == (202, begun.body)
    assert len(await whole(server, id)) == 2


async def test_its_reply_may_be_the_stream(server: Server) -> None:
    body = {"turn": {"text": "script: say=Yes."}}
    reply = await server.post("/api/conversations", body, headers={"Accept": "text/event-stream"})
    events = [event for _, event in parse(reply.raw)]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert [message["role"] for message in await whole(server, events[0].conversation)] == ["user", "assistant"]


@pytest.mark.parametrize("turn", [{"text": " "}, {"text": "Hello", "model": "no-such"}, {"retry": "msg_none"}, {}])
async def test_a_first_turn_that_is_refused_leaves_no_conversation(server: Server, turn: JSON) -> None:
    id = new_id("conv")
    refused = await server.post("/api/conversations", {"id": id, "turn": turn})
    assert 400 <= refused.status < 500
    assert refused.error["message"]
    assert (await server.get(f"/api/conversations/{id}")).status == 404


async def test_conversations_come_in_pages_newest_first(fresh: Server) -> None:
    made = [await fresh.begin(title=str(number)) for number in range(7)]
    for id in made:  # in a millisecond of its own each
        await fresh.say(id, "script: words=1")
    seen: list[str] = []
    await fresh.call("PATCH", f"/api/conversations/{made[3]}", {"pinned": True})
    before: str | None = ""
    while before is not None:
        page = (await fresh.get(f"/api/conversations?limit=3{before}")).body
        assert [found["id"] for found in page["pinned"]] == ([] if before else [made[3]])
        seen += [found["id"] for found in page["conversations"]]
        before = page["next"] and f"&before={page['next']}"
    assert seen == [id for id in made[::-1] if id != made[3]]


@pytest.mark.parametrize("cursor", ["", "5", "x", "1.a%00", "99999999999999999999.conv_a", "1.conv_a%2F"])
async def test_a_cursor_that_is_none_is_refused(server: Server, cursor: str) -> None:
    reply = await server.get(f"/api/conversations?before={cursor}")
    assert (reply.status, reply.error["param"]) == (400, "before")


async def test_conversations_are_pinned_archived_and_tagged(fresh: Server) -> None:
    bread, rivers = await fresh.begin(title="Bread"), await fresh.begin(title="Rivers")
    changed = await fresh.call("PATCH", f"/api/conversations/{bread}", {"pinned": True, "tags": [" Work ", "été"]})
    assert (changed.body["pinned"], changed.body["archived"], changed.body["tags"]) == (True, False, ["Work", "été"])
    await fresh.call("PATCH", f"/api/conversations/{rivers}", {"archived": True, "tags": ["Work"]})
    assert changed.body == (await fresh.tree(bread))["conversation"]

    async def listed(query: str) -> tuple[list[str], list[str]]:
        page = (await fresh.get(f"/api/conversations{query}")).body
        assert page["next"] is None
        return [found["id"] for found in page["pinned"]], [found["id"] for found in page["conversations"]]

    assert await listed("") == ([bread], [])
    assert await listed("?archived=true") == ([], [rivers])
    assert await listed("?tag=Work") == ([bread], [])
    assert await listed("?tag=work") == ([], [])
    assert (await fresh.get("/api/conversations/tags")).body == {
        "tags": [{"tag": "Work", "count": 1}, {"tag": "été", "count": 1}]
    }
    assert (await fresh.get("/api/conversations/tags?archived=true")).body == {"tags": [{"tag": "Work", "count": 1}]}
    untagged = await fresh.call("PATCH", f"/api/conversations/{bread}", {"tags": [], "pinned": False})
    assert (untagged.body["tags"], untagged.body["pinned"]) == ([], False)


@pytest.mark.parametrize(
    "tags", [[""], ["  "], ["x" * 41], ["a\nb"], ["a\u0000"], ["a", "a "], [str(n) for n in range(13)], [5], "a"]
)
async def test_a_tag_that_is_none_is_refused(server: Server, tags: Any) -> None:
    id = await server.begin()
    reply = await server.call("PATCH", f"/api/conversations/{id}", {"tags": tags})
    assert reply.status == 400
    assert reply.error["param"].startswith("tags")
    assert (await server.tree(id))["conversation"]["tags"] == []


async def test_a_conversation_takes_its_name_from_the_first_question(server: Server) -> None:
    id = await server.begin()
    await server.say(id, "\n  Why is the sky blue?  \nscript: words=1")
    await server.say(id, "Another\nscript: words=1")
    assert (await server.tree(id))["conversation"]["title"] == "Why is the sky blue?"
    named = await server.begin(title="Mine")
    await server.say(named, "Hello\nscript: words=1")
    assert (await server.tree(named))["conversation"]["title"] == "Mine"


# Turns


async def test_a_turn_is_a_question_and_its_answer(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "Hello\nscript: words=12 rate=50")
    assert begun["model"] == "scripted"
    during = await server.tree(id)
    assert during["running"] == begun["run"]
    assert [message["id"] for message in during["messages"]] == [begun["message"], begun["answer"]]
    answer = await server.answered(begun["run"])
    after = await server.tree(id)
    assert after["running"] is None
    assert after["messages"][1] == answer
    assert after["conversation"]["leaf"] == begun["answer"]
    question = after["messages"][0]
    assert (question["role"], question["parent"]) == ("user", None)
    assert (answer["role"], answer["parent"], answer["run"]) == ("assistant", begun["message"], begun["run"])
    assert (answer["status"], answer["finish_reason"]) == ("finished", "stop")
    assert answer["usage"]["words"] == answer["usage"]["completion_tokens"] == len(text_of(answer).split()) == 12
    assert answer["usage"]["first_word_ms"] > 0
    state = (await server.get(f"/api/runs/{begun['run']}")).body
    events = parse(await server.stream(begun["run"]))
    assert state == {
        "run": begun["run"],
        "conversation": id,
        "status": "finished",
        "seq": len(events),
        "message": answer,
    }


async def test_what_was_guessed_ahead_is_told(server: Server) -> None:
    conversation = await server.begin()
    for script, told in (("guessed=31/36", (31, 36)), ("words=3", (None, None))):
        usage = (await server.say(conversation, f"script: {script}"))["usage"]
        assert (usage["accepted_tokens"], usage["drafted_tokens"]) == told


async def test_turns_follow_one_another(server: Server) -> None:
    id = await server.begin()
    for number in range(3):
        await server.say(id, f"{number}\nscript: words=2")
    messages = await whole(server, id)
    assert [message["parent"] for message in messages] == [None, *[message["id"] for message in messages[:-1]]]


async def test_a_turn_may_be_asked_again_without_harm(server: Server) -> None:
    conversation, id = await server.begin(), new_id("msg")
    text = "script: words=30 rate=300"
    replies = await asyncio.gather(*(server.ask(conversation, text, id=id) for _ in range(5)))
    assert len({reply["run"] for reply in replies}) == 1
    assert {reply["message"] for reply in replies} == {id}
    await server.answered(replies[0]["run"])
    assert await server.ask(conversation, text, id=id) == replies[0]
    assert len(await whole(server, conversation)) == 2


async def test_an_id_of_another_conversation_is_refused(server: Server) -> None:
    id = new_id("msg")
    await server.say(await server.begin(), "script: words=1", id=id)
    reply = await server.post(f"/api/conversations/{await server.begin()}/turns", {"text": "Hello", "id": id})
    assert reply.status == 409
    assert id in reply.error["message"]


async def test_editing_a_message_makes_a_branch(server: Server) -> None:
    id = await server.begin()
    first = await server.say(id, "One\nscript: words=2")
    second = await server.say(id, "Two\nscript: words=2")
    edited = await server.say(id, "Two, better\nscript: words=2", parent=first["id"])
    messages = {message["id"]: message for message in await whole(server, id)}
    assert len(messages) == 6
    assert messages[messages[second["parent"]]["id"]]["parent"] == first["id"]
    assert messages[edited["parent"]]["parent"] == first["id"]
    assert (await server.tree(id))["conversation"]["leaf"] == edited["id"]
    again = await server.say(id, "One, better\nscript: words=2", parent=None)
    assert {message["id"]: message for message in await whole(server, id)}[again["parent"]]["parent"] is None
    shown = await server.call("PATCH", f"/api/conversations/{id}", {"leaf": second["id"]})
    assert shown.body["leaf"] == second["id"]
    third = await server.say(id, "Three\nscript: words=2")
    assert {message["id"]: message for message in await whole(server, id)}[third["parent"]]["parent"] == second["id"]


async def test_retrying_is_another_answer_to_the_same_message(server: Server) -> None:
    id = await server.begin()
    first = await server.say(id, "script: words=2")
    begun = await server.turn(id, retry=first["parent"])
    second = await server.answered(begun["run"])
    assert begun["message"] == first["parent"] == second["parent"]
    assert len(await whole(server, id)) == 3
    assert (await server.tree(id))["conversation"]["leaf"] == second["id"]


async def test_an_answer_that_was_stopped_is_taken_up(fresh: Server) -> None:
    id = await fresh.begin()
    begun = await fresh.ask(id, "script: words=1000 rate=500 reasoning=5")
    while fresh.engine.made < 50:
        await asyncio.sleep(0.005)
    await fresh.post(f"/api/runs/{begun['run']}/stop")
    half, made = await fresh.message(begun["run"]), fresh.engine.made
    again = await fresh.turn(id, **{"continue": half["id"]})
    while fresh.engine.made < made + 100:
        await asyncio.sleep(0.005)
    await fresh.post(f"/api/runs/{again['run']}/stop")
    events = [event for _, event in parse(await fresh.stream(again["run"]))]
    check_log(events)
    whole_answer = await fresh.message(again["run"])
    assert text_of(whole_answer).startswith(text_of(half))
    assert len(text_of(whole_answer)) > len(text_of(half))
    assert whole_answer["parent"] == half["parent"]
    assert (await fresh.message(begun["run"])) == half, "nothing is overwritten"
    assert parse(await fresh.stream(again["run"]))[0][1].continues == half["id"]  # pyright: ignore


async def test_an_answer_cut_by_its_length_is_taken_up(server: Server) -> None:
    id = await server.begin()
    cut = await server.say(id, "script: words=50", max_tokens=7)
    assert cut["finish_reason"] == "length"
    assert len(text_of(cut).split()) == 7
    again = await server.turn(id, **{"continue": cut["id"]})
    assert text_of(await server.answered(again["run"])).startswith(text_of(cut))


async def test_an_answer_that_failed_may_be_taken_up_or_retried(server: Server) -> None:
    id = await server.begin()
    failed = await server.say(id, "script: words=9 fail=4")
    assert failed["status"] == "failed"
    assert failed["fault"]["code"] == "engine_unavailable"
    assert len(text_of(failed).split()) == 4
    for body in ({"retry": failed["parent"]}, {"continue": failed["id"]}):
        again = await server.answered((await server.turn(id, **body))["run"])
        assert again["status"] == "failed"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("break=3", "engine_broken"),
        ("busy=1", "engine_busy"),
        ("words=x", "invalid_input"),
        ("fail=0", "engine_unavailable"),
    ],
)
async def test_a_failure_is_said_in_the_answer(server: Server, script: str, code: str) -> None:
    answer = await server.say(await server.begin(), f"script: {script}")
    assert answer["status"] == "failed"
    assert answer["fault"]["code"] == code
    assert answer["fault"]["message"].endswith(".")


async def test_a_tool_call_is_a_part(server: Server) -> None:
    answer = await server.say(await server.begin(), 'script: tool=look_up{"city":"Aachen"}', draw="off")
    assert answer["finish_reason"] == "stop"
    called, result, text = answer["parts"]
    assert called == {"kind": "tool_call", "text": '{"city":"Aachen"}', "id": "call_1", "name": "look_up", "round": 0}
    assert (result["kind"], result["id"]) == ("tool_result", "call_1")
    assert text["kind"] == "text", "a tool that doesn't exist is said to the model, which then answers"


async def test_loading_is_a_step(server: Server) -> None:
    begun = await server.ask(await server.begin(), "script: words=3 load=2")
    assert (await server.get("/api/health")).body["status"] == "loading"
    events = [event for _, event in parse(await server.stream(begun["run"]))]
    progress = [event for event in events if isinstance(event, StepProgressed)]
    assert [event.of for event in progress] == [100] * len(progress)
    assert [event.done for event in progress] == sorted({event.done for event in progress})
    assert 50 < progress[-1].done < 100
    kinds = [event.type for event in events if event not in progress]
    assert kinds[:4] == ["run.started", "step.started", "step.finished", "part.started"]


async def test_a_long_wait_for_the_first_word_is_a_step(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_delta, "WAITING_NOTICE_AFTER_S", 0.3)
    answer = await server.say(await server.begin(), "script: words=3 pause=1@0")
    (step,) = answer["steps"]
    assert (step["kind"], step["title"]) == ("wait", "Waiting for Scripted")
    assert step["milliseconds"] > 200


async def test_what_was_chosen_reaches_the_engine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        if request.purpose == "answer":
            asked.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    id = await server.begin()
    await server.say(id, "script: words=1", temperature=0.5, top_p=0.9, max_tokens=5, seed=7, system="Be brief.")
    sampling = asked[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed) == (0.5, 0.9, 5, 7)
    assert asked[0].messages[0].content == "Be brief."
    await server.say(id, "script: words=1", system="")
    assert [said.role for said in asked[1].messages] == ["user", "assistant", "user"]
    await server.say(id, "script: words=1")
    assert asked[2].messages[0].content == server.app.settings.system_prompt
    assert asked[2].sampling.max_tokens == server.app.settings.max_tokens


async def test_a_conversation_keeps_how_it_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        if request.purpose == "answer":
            asked.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    made = await server.post("/api/conversations", {"temperature": 0.4, "max_tokens": 6, "system": "Be brief."})
    id = made.body["id"]
    await server.say(id, "script: words=1")
    first = asked[-1]
    assert (first.sampling.temperature, first.sampling.max_tokens) == (0.4, 6)
    assert first.messages[0].content == "Be brief."
    await server.say(id, "script: words=1", temperature=0.0, max_tokens=9, system="Be long.")
    assert (asked[-1].sampling.temperature, asked[-1].sampling.max_tokens) == (0.0, 9)
    assert asked[-1].messages[0].content == "Be long."
    changed = await server.call("PATCH", f"/api/conversations/{id}", {"temperature": None, "system": None})
    assert (changed.body["temperature"], changed.body["max_tokens"], changed.body["system"]) == (None, 6, None)
    await server.say(id, "script: words=1")
    assert asked[-1].sampling.temperature is None
    assert asked[-1].messages[0].content == server.app.settings.system_prompt


async def test_a_conversation_is_put_in_a_project(fresh: Server) -> None:
    project = (await fresh.post("/api/projects", {"name": " Work "})).body
    assert (project["name"], project["conversations"]) == ("Work", 0)
    id, other = await fresh.begin(), await fresh.begin()
    moved = await fresh.call("PATCH", f"/api/conversations/{id}", {"project_id": project["id"]})
    assert moved.body["project_id"] == project["id"]
    listed = (await fresh.get(f"/api/conversations?project_id={project['id']}")).body["conversations"]
    assert [each["id"] for each in listed] == [id]
    renamed = await fresh.call("PATCH", f"/api/projects/{project['id']}", {"name": "Office"})
    assert (renamed.body["name"], renamed.body["conversations"]) == ("Office", 1)
    assert (await fresh.call("PATCH", f"/api/conversations/{other}", {"project_id": "proj_none"})).status == 404
    assert (await fresh.post("/api/projects", {"name": "Office"})).status == 409
    assert (await fresh.post("/api/projects", {"name": "a\nb"})).status == 400
    assert (await fresh.call("PATCH", f"/api/conversations/{id}", {"project_id": None})).body["project_id"] is None
    assert (await fresh.call("DELETE", f"/api/projects/{project['id']}")).status == 204
    assert (await fresh.get("/api/projects")).body == []


@pytest.mark.parametrize(
    "settings", [{"temperature": 2.1}, {"temperature": -0.1}, {"max_tokens": 0}, {"system": "x" * 20_001}]
)
async def test_settings_that_no_answer_can_have_are_refused(server: Server, settings: JSON) -> None:
    id = await server.begin()
    for refused in (
        await server.call("PATCH", f"/api/conversations/{id}", settings),
        await server.post("/api/conversations", settings),
    ):
        assert refused.status == 400
        assert refused.body["error"]["param"] == next(iter(settings))


async def test_an_answer_is_no_longer_than_the_window(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [replace(model, context=4096) for model in await server.app.registry.models()]

    async def listed() -> list[Model]:
        return models

    monkeypatch.setattr(server.app.registry, "models", listed)
    id = await server.begin()
    refused = await server.call("PATCH", f"/api/conversations/{id}", {"max_tokens": 4097})
    assert refused.status == 400
    assert "can write 4,096 tokens at most" in refused.body["error"]["message"]
    assert (await server.call("PATCH", f"/api/conversations/{id}", {"max_tokens": 4096})).status == 200


async def test_a_long_conversation_forgets_its_oldest_turns_and_says_so(server: Server) -> None:
    id = await server.begin()
    answers = [await server.say(id, "script: words=1\n" + "word " * 14_000) for _ in range(3)]
    answer = answers[-1]
    assert [remark["code"] for remark in answer["remarks"]] == ["history_trimmed"]
    assert "Scripted" in answer["remarks"][0]["message"]


# Parents, leaves and other rules


async def test_a_message_goes_under_an_answer(server: Server) -> None:
    id = await server.begin()
    answer = await server.say(id, "script: words=1")
    path = f"/api/conversations/{id}/turns"
    for body, status, param in (
        ({"text": "x", "parent": answer["parent"]}, 400, "parent"),
        ({"text": "x", "parent": "msg_none"}, 404, None),
        ({"retry": answer["id"]}, 400, "retry"),
        ({"retry": "msg_none"}, 404, None),
        ({"continue": answer["id"]}, 400, "continue"),
        ({"continue": answer["parent"]}, 400, "continue"),
        ({"continue": "msg_none"}, 404, None),
        ({}, 400, "text"),
        ({"text": "x", "retry": answer["parent"]}, 400, "text"),
        ({"retry": answer["parent"], "continue": answer["id"]}, 400, "text"),
        ({"retry": answer["parent"], "parent": answer["id"]}, 400, "parent"),
        ({"retry": answer["parent"], "id": new_id("msg")}, 400, "id"),
    ):
        reply = await server.post(path, body)
        assert reply.status == status, body
        assert param is None or reply.error["param"] == param
    assert len(await whole(server, id)) == 2


async def test_a_leaf_is_a_message_of_the_conversation(server: Server) -> None:
    id = await server.begin()
    reply = await server.call("PATCH", f"/api/conversations/{id}", {"leaf": "msg_none"})
    assert reply.status == 404
    assert (await server.call("PATCH", f"/api/conversations/{id}", {"title": ""})).error["param"] == "title"
    assert (await server.call("PATCH", "/api/conversations/conv_x", {"title": "x"})).status == 404
    assert (await server.call("PATCH", f"/api/conversations/{id}", {})).status == 200


# Search


async def test_messages_are_found_by_their_words(fresh: Server) -> None:
    id = await fresh.begin()
    await fresh.say(id, "Où est la crème?")
    for words in ("creme", "où cr", "CRÈME"):
        (hit,) = (await fresh.get(f"/api/search?q={words}")).body["hits"]
        assert hit["conversation"] == id
        assert "\ue000" in hit["excerpt"]
    for words in ("%22", "*", "NEAR", "%00", "%FF"):
        assert (await fresh.get(f"/api/search?q={words}")).body == {"names": [], "hits": [], "passages": []}
    assert (await fresh.get("/api/search")).error["param"] == "q"
    assert (await fresh.get("/api/search?q=a&limit=0")).error["param"] == "limit"


async def test_a_search_ends_when_its_client_goes(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    @search
    def search_endlessly(_: SQLConversationStore, db: Connection, *__: object) -> list[Hit]:
        begun.set()
        try:
            list(
                db.execute("WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
            )
            return []
        finally:
            ended.set()

    with monkeypatch.context() as patched:
        patched.setattr(SQLConversationStore, "search_messages", search_endlessly)
        asking = asyncio.create_task(fresh.get("/api/search?q=x"))
        await asyncio.to_thread(begun.wait)
        asking.cancel()  # which closes the connection
        await asyncio.to_thread(ended.wait)
    assert (await fresh.get("/api/search?q=x")).body == {"names": [], "hits": [], "passages": []}


# Streams


async def test_the_reply_to_a_turn_may_be_its_stream(server: Server) -> None:
    id = await server.begin()
    reply = await server.post(
        f"/api/conversations/{id}/turns", {"text": "script: words=9"}, headers={"Accept": "text/event-stream"}
    )
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert reply.headers["Cache-Control"] == "no-store"
    events = [event for _, event in parse(reply.raw)]
    check_log(events)
    run = (await whole(server, id))[1]["run"]
    assert await server.stream(run) == reply.raw


async def test_a_stream_goes_on_from_where_it_was(server: Server) -> None:
    run = (await server.ask(await server.begin(), "script: words=20"))["run"]
    events = parse(await server.stream(run))
    assert parse(await server.stream(run, 2)) == events[2:]
    assert parse(await server.stream(run, 1, {"Last-Event-ID": "4"})) == events[4:]
    assert await server.stream(run, len(events)) == b""
    reset = await server.stream(run, len(events) + 1)
    assert reset.startswith(b"event: reset\ndata: {}\n\n")
    assert parse(reset.partition(b"\n\n")[2]) == events


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("?after=-1", None),
        ("?after=x", None),
        ("", "x"),
        ("", "-1"),
        ("", "1.5"),
        ("", "9" * 5000),
        ("?after=" + "9" * 30, None),
    ],
)
async def test_a_number_that_is_none_is_refused(server: Server, query: str, header: str | None) -> None:
    run = (await server.say(await server.begin(), "script: words=1"))["run"]
    reply = await server.get(f"/api/runs/{run}/events{query}", {"Last-Event-ID": header} if header else None)
    assert reply.status == 400
    assert reply.error["param"] in ("after", "Last-Event-ID")


async def test_a_silent_stream_shows_signs_of_life(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_INTERVAL_S", 0.05)
    run = (await server.ask(await server.begin(), "script: words=4 pause=0.5@2"))["run"]
    raw = await server.stream(run)
    assert raw.count(b":\n\n") >= 3
    check_log([event for _, event in parse(raw)])


async def test_shutting_down_interrupts_and_says_so(settings: Settings) -> None:
    async with serving(settings) as server:
        id = await server.begin()
        run = (await server.ask(id, "script: words=100000 rate=500"))["run"]
        while server.engine.made < 50:
            await asyncio.sleep(0.005)
        followed = asyncio.create_task(server.stream(run))
        await asyncio.sleep(0.05)
        await server.app.runs.close()
        assert parse(await followed)[-1][1].type == "run.interrupted"
    async with serving(settings) as server:
        message = await server.message(run)
        assert message["status"] == "interrupted"
        again = await server.turn(id, **{"continue": message["id"]})
        await server.post(f"/api/runs/{again['run']}/stop")
        assert text_of(await server.message(again["run"])).startswith(text_of(message))


# Models and health


async def test_models_and_health(server: Server) -> None:
    models = (await server.get("/api/models")).body
    assert models["default"] == "scripted"
    assert models["models"][0]["id"] == "scripted"
    health = await server.get("/api/health")
    assert health.status == 200
    assert health.body["status"] == "ready"
    assert health.body["engines"] == {"scripted": {"state": "ready", "detail": "It is ready.", "loaded": None}}


async def test_without_engines_everything_else_works(settings: Settings) -> None:
    async with serving(replace(settings, scripted=False)) as server:
        assert (await server.get("/api/health")).status == 503
        assert (await server.get("/api/models")).body == {
            "models": [],
            "default": None,
            "picks": None,
            "recommended": None,
        }
        reply = await server.post(f"/api/conversations/{await server.begin()}/turns", {"text": "Hello"})
        assert reply.status == 404
        assert "eclair doctor" in reply.error["message"]


async def test_a_default_model_that_is_not_there_hides_no_other(settings: Settings) -> None:
    async with serving(replace(settings, model="gone")) as server:
        models = (await server.get("/api/models")).body
        assert [model["id"] for model in models["models"]] == ["scripted"]
        assert models["default"] is None
        id = await server.begin()
        assert "gone" in (await server.post(f"/api/conversations/{id}/turns", {"text": "Hello"})).error["message"]
        assert (await server.say(id, "script: words=1", model="scripted"))["status"] == "finished"
