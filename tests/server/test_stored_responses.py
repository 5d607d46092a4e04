"""Responses and conversations that `/v1` keeps, spoken by OpenAI's own client."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
import pytest_asyncio
from openai.types.conversations import Conversation
from openai.types.responses import Response

from eclair.chat import responses as responses_module
from eclair.chat.retention import RetentionService
from eclair.errors import StoreError
from eclair.llm.scripted import prose
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server.access import AccessControl
from eclair.settings import Settings
from eclair.storage.responses import ResponseEvents
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.responses import SQLResponseStore
from tests.server.test_damaged_rows import WRONG, columns, loosened
from tests.server.test_v1 import client_of, exact, settled
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_S = 86_400
NOTHING = {"responses": 0, "conversations": 0, "batches": 0, "files": 0}
ENDLESS_SCRIPT = "script: words=100000 rate=400"


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The conversations that reach the engine, as pairs of role and text."""
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        asked.append([(message.role, message.content) for message in request.messages])
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    return asked


async def say(client: openai.AsyncOpenAI, input: Any, **more: Any) -> Any:
    """A response, or with `stream` its events."""
    create: Any = client.responses.create
    return await create(model="scripted", input=input, **more)


async def finished(client: openai.AsyncOpenAI, id: str) -> Response:
    async with asyncio.timeout(60):
        while (response := await client.responses.retrieve(id)).status == "in_progress":
            await asyncio.sleep(0.02)
    return response


async def test_a_second_turn_by_the_id_of_the_first(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    first = await say(client, "script: say=Bonjour", instructions="Be brief.", user="ada", top_logprobs=0)
    assert (first.previous_response_id, first.conversation, first.background) == (None, None, False)
    assert (first.user, first.service_tier) == ("ada", "default")
    assert first.completed_at is not None
    assert abs(first.completed_at - time.time()) < 60
    second = await say(client, "script: words=2", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    third = await say(client, "script: words=3", previous_response_id=second.id)
    assert asked[1][-3:] == [("user", "script: say=Bonjour"), ("assistant", "Bonjour"), ("user", "script: words=2")]
    assert [role for role, _ in asked[2]][-5:] == ["user", "assistant"] * 2 + ["user"]
    assert asked[2][-2] == ("assistant", "".join(prose(2)))
    assert "Be brief." not in str(asked[1:]), "instructions are not carried over"
    fork = await say(client, "script: words=1", previous_response_id=first.id)
    assert len(asked[3]) == len(asked[1])
    for each in (first, second, third, fork):
        assert await client.responses.retrieve(each.id) == each


async def test_streamed_and_with_tools(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    tools: Any = [{"type": "function", "name": "look_up", "parameters": {"type": "object"}, "strict": False}]
    async with client.responses.stream(
        model="scripted", input='script: reasoning=3 tool=look_up{"city":"Aachen"}', tools=tools
    ) as stream:
        first = await stream.get_final_response()
    call = first.output[-1]
    assert call.type == "function_call"
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "42"}]
    output.append({"role": "user", "content": "script: words=1"})
    second = await say(client, output, previous_response_id=first.id, tools=tools)
    assert second.status == "completed"
    assert [role for role, _ in asked[1]][-4:] == ["user", "assistant", "tool", "user"]
    items = await client.responses.input_items.list(second.id, order="asc")
    assert [item.type for item in items.data] == ["function_call_output", "message"]


async def test_a_conversation_grows_with_its_responses(
    server: Server, client: openai.AsyncOpenAI, asked: list[Any]
) -> None:
    begun = await client.conversations.create(
        metadata={"topic": "bread"}, items=[{"type": "message", "role": "developer", "content": "Speak French."}]
    )
    exact(Conversation, begun.model_dump())
    first = await say(client, "script: say=Bonjour", conversation=begun.id)
    assert first.conversation is not None
    assert first.conversation.id == begun.id
    await say(client, "script: words=1", conversation={"id": begun.id})
    assert asked[1] == [
        ("system", "Speak French."),
        ("user", "script: say=Bonjour"),
        ("assistant", "Bonjour"),
        ("user", "script: words=1"),
    ]
    items = [item async for item in client.conversations.items.list(begun.id, order="asc", limit=2)]
    assert [item.type for item in items] == ["message"] * 5
    newest = await client.conversations.items.list(begun.id, limit=1)
    assert (newest.has_more, newest.data) == (True, items[-1:])
    added = await client.conversations.items.create(begun.id, items=[{"role": "user", "content": "More."}])
    (more,) = added.data
    assert more.id is not None
    assert await client.conversations.items.retrieve(more.id, conversation_id=begun.id) == more
    await client.conversations.items.delete(more.id, conversation_id=begun.id)
    with pytest.raises(openai.NotFoundError):
        await client.conversations.items.retrieve(more.id, conversation_id=begun.id)
    changed = await client.conversations.update(begun.id, metadata={"topic": "cake"})
    assert changed.metadata == (await client.conversations.retrieve(begun.id)).metadata == {"topic": "cake"}
    assert (await client.conversations.delete(begun.id)).deleted
    for lost in (f"/v1/conversations/{begun.id}", f"/v1/conversations/{begun.id}/items"):
        assert (await server.get(lost)).status == 404
    assert (await client.responses.retrieve(first.id)).output_text == "Bonjour", "a response is its own"
    with pytest.raises(openai.NotFoundError):
        await say(client, "script: words=1", conversation=begun.id)


async def test_a_second_turn_by_references(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    first = await say(client, "script: say=Bonjour reasoning=2", reasoning={"effort": "low"})
    references: Any = [{"type": "item_reference", "id": item.id} for item in first.output]
    question: Any = {"role": "user", "content": "script: words=1"}
    await say(client, [{"role": "user", "content": "Hello"}, *references, question])
    assert asked[1] == [("user", "Hello"), ("assistant", first.output_text), ("user", "script: words=1")]
    with pytest.raises(openai.NotFoundError, match="no item 'msg_none'"):
        await say(client, [{"type": "item_reference", "id": "msg_none"}, question])


async def test_input_items_are_listed_with_ids(server: Server, client: openai.AsyncOpenAI) -> None:
    texts: Any = [{"role": "user", "content": f"Line {number}"} for number in range(4)]
    made = await say(client, [*texts, {"role": "user", "content": "script: words=1"}])
    items: list[Any] = [item async for item in client.responses.input_items.list(made.id, limit=2)]
    assert [item.content[0].text for item in items] == ["script: words=1", *(f"Line {n}" for n in (3, 2, 1, 0))]
    raw = (await server.get(f"/v1/responses/{made.id}/input_items?order=asc&limit=1")).body
    assert raw["data"] == [
        {
            "id": raw["first_id"],
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_text", "text": "Line 0"}],
        }
    ]
    assert (await server.get(f"/v1/responses/{made.id}/input_items?after=msg_none")).status == 404


async def test_tokens_are_counted(client: openai.AsyncOpenAI) -> None:
    first = await say(client, "script: words=30")
    alone = await client.responses.input_tokens.count(model="scripted", input="One two three")
    assert alone.input_tokens == 3
    more = await client.responses.input_tokens.count(
        model="scripted", input="One two three", previous_response_id=first.id
    )
    assert more.input_tokens >= alone.input_tokens + 30


async def test_a_background_response_is_polled(client: openai.AsyncOpenAI) -> None:
    begun = await say(client, "script: words=60 rate=300", background=True, metadata={"a": "b"})
    assert (begun.status, begun.background, begun.output, begun.metadata) == ("in_progress", True, [], {"a": "b"})
    with pytest.raises(openai.ConflictError, match="still being written"):
        await say(client, "script: words=1", previous_response_id=begun.id)
    whole = await finished(client, begun.id)
    assert (whole.status, whole.output_text) == ("completed", "".join(prose(60)))
    assert whole.usage is not None
    assert whole.usage.output_tokens == 60
    assert (await say(client, "script: words=1", previous_response_id=begun.id)).status == "completed"


async def test_a_background_stream_is_resumed(server: Server, client: openai.AsyncOpenAI) -> None:
    seen: list[Any] = []
    stream = await say(client, "script: words=300 rate=600", background=True, stream=True)
    async for event in stream:
        seen.append(event)
        if len(seen) == 12:
            break
    await stream.close()
    id = seen[0].response.id
    resumed = await client.responses.retrieve(id, stream=True, starting_after=seen[-1].sequence_number)
    rest = [event async for event in resumed]
    assert [event.sequence_number for event in [*seen, *rest]] == list(range(len(seen) + len(rest)))
    assert rest[-1].type == "response.completed"
    text = "".join(event.delta for event in [*seen, *rest] if event.type == "response.output_text.delta")
    assert text == rest[-1].response.output_text == "".join(prose(300))
    again = [event async for event in await client.responses.retrieve(id, stream=True)]
    assert again == [*seen, *rest]
    for beyond in (rest[-1].sequence_number, 10**6):
        last = [event async for event in await client.responses.retrieve(id, stream=True, starting_after=beyond)]
        assert last == rest[-1:]
    made = await say(client, "script: words=1")
    with pytest.raises(openai.BadRequestError, match="made with `background`"):
        await client.responses.retrieve(made.id, stream=True)
    await settled(server)


@pytest.mark.parametrize("moment", ["before the next flush", "in mid-commit", "at the end"])
async def test_a_background_log_is_whole_after_a_failover(
    server: Server, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(responses_module, "RETRY_INTERVAL_S", 0.05)
    responses = server.app.storage.responses
    assert isinstance(responses, SQLResponseStore)
    append, finish, stream = responses.append_events, responses.finish_response, server.engine.stream
    lost = asyncio.Event()

    async def lose_events() -> None:
        def delete(db: Connection) -> None:
            db.execute("DELETE FROM api_event WHERE last > 3")

        lost.set()
        await responses.database.write(delete)

    async def flush(chunks: Sequence[ResponseEvents]) -> None:
        await append(chunks)
        if lost.is_set() or moment == "at the end" or not any(chunk.last > 3 for chunk in chunks):
            return
        if moment == "before the next flush":
            await lose_events()
            monkeypatch.setattr(type(server.app.storage.processes), "losses", 1)
        else:
            lost.set()
            raise StoreError("The database was lost while a change was being stored.")

    async def end(*args: Any) -> bool:
        if not lost.is_set():
            await lose_events()
        return await finish(*args)

    async def pause_until_lost(request: Any) -> AsyncGenerator[Any]:
        async with aclosing(stream(request)) as deltas:
            words = 0
            async for delta in deltas:
                yield delta
                words += 1
                if words == 20 and moment != "at the end":
                    await lost.wait()

    monkeypatch.setattr(responses, "append_events", flush)
    monkeypatch.setattr(responses, "finish_response", end)
    monkeypatch.setattr(server.engine, "stream", pause_until_lost)
    begun = await say(client, "script: words=100", background=True)
    assert (await finished(client, begun.id)).output_text == "".join(prose(100))
    log = [event async for event in await client.responses.retrieve(begun.id, stream=True)]
    assert [event.sequence_number for event in log] == list(range(len(log)))
    assert "".join(event.delta for event in log if event.type == "response.output_text.delta") == "".join(prose(100))


async def test_a_background_response_that_fails_says_why(client: openai.AsyncOpenAI) -> None:
    begun = await say(client, "script: words=30 fail=9", background=True)
    failed = await finished(client, begun.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.code == "server_error"
    assert failed.output_text
    assert "".join(prose(30)).startswith(failed.output_text)


async def test_cancelling_stops_the_engine(server: Server, client: openai.AsyncOpenAI) -> None:
    stream = await say(client, ENDLESS_SCRIPT, background=True, stream=True)
    id = ""
    async for event in stream:
        id = id or event.response.id
        if event.type == "response.output_text.delta":
            break
    cancelled = await client.responses.cancel(id)
    made = server.engine.made
    assert cancelled.status == "cancelled"
    assert cancelled.output_text
    rest = [event async for event in stream]
    assert (rest[-1].type, rest[-1].response.status) == ("response.incomplete", "cancelled")
    await settled(server)
    assert server.engine.made == made, "the engine went on"
    assert await client.responses.cancel(id) == cancelled, "cancelling again changes nothing"
    whole = await say(client, "script: words=1")
    with pytest.raises(openai.BadRequestError, match="made with `background`"):
        await client.responses.cancel(whole.id)


async def test_cancelling_at_once_ends_it_too(client: openai.AsyncOpenAI) -> None:
    ids = [(await say(client, ENDLESS_SCRIPT, background=True)).id for _ in range(3)]
    for cancelled in await asyncio.gather(*(client.responses.cancel(id) for id in ids)):
        assert cancelled.status == "cancelled"


async def test_deleting(server: Server, client: openai.AsyncOpenAI) -> None:
    first = await say(client, "script: words=1")
    second = await say(client, "script: words=2", previous_response_id=first.id)
    await client.responses.delete(first.id)
    for path in ("", "/input_items"):
        reply = await server.get(f"/v1/responses/{first.id}{path}")
        assert (reply.status, reply.error["type"]) == (404, "invalid_request_error")
    assert (await server.call("DELETE", f"/v1/responses/{first.id}")).status == 404
    with pytest.raises(openai.NotFoundError, match="was deleted or has expired") as gone:
        await say(client, "script: words=1", previous_response_id=second.id)
    assert gone.value.param == "previous_response_id"
    begun = await say(client, ENDLESS_SCRIPT, background=True)
    await client.responses.delete(begun.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(begun.id)
    await settled(server)


def data_of(folder: Path) -> bytes:
    """All bytes of the database and its logs."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("eclair.db*")))


async def test_store_false_leaves_no_trace_and_what_is_deleted_goes(settings: Settings) -> None:
    async with serving(settings) as server, client_of(server) as client:
        untraced = await say(client, "script: say=unkeptzq", store=False, metadata={"a": "unkeptzq"})
        assert not (await server.get(f"/v1/responses/{untraced.id}")).body.get("output")
        raw = (await server.post("/v1/responses", {"model": "scripted", "input": "script: say=keptzq"})).body
        assert raw["store"] is True
        begun = await client.conversations.create(items=[{"role": "user", "content": "conversezq"}])
        item = (await client.conversations.items.create(begun.id, items=[{"role": "user", "content": "itemzq"}])).data
        data = await asyncio.to_thread(data_of, settings.data_dir)
        assert b"unkeptzq" not in data
        assert all(word in data for word in (b"keptzq", b"conversezq", b"itemzq"))
        await client.responses.delete(raw["id"])
        assert item[0].id is not None
        await client.conversations.items.delete(item[0].id, conversation_id=begun.id)
        data = await asyncio.to_thread(data_of, settings.data_dir)
        assert b"keptzq" not in data
        assert b"itemzq" not in data
        assert b"conversezq" in data
        await client.conversations.delete(begun.id)
        assert b"conversezq" not in await asyncio.to_thread(data_of, settings.data_dir)


async def test_what_is_kept_is_counted_and_deleted_together(settings: Settings) -> None:
    async with serving(settings) as server, client_of(server) as client:
        assert (await server.get("/api/responses")).body == {**NOTHING, "days": 30}
        for number in range(3):
            await say(client, f"script: say=wholezq{number}")
        await client.conversations.create(metadata={"a": "wholezq"})
        running = await say(client, ENDLESS_SCRIPT, background=True)
        assert (await server.get("/api/responses")).body == {**NOTHING, "responses": 4, "conversations": 1, "days": 30}
        assert (await server.get("/api/count")).body == {"conversations": 0}, "the page does not have them"
        assert (await server.get("/api/conversations")).body["conversations"] == []
        assert (await server.call("DELETE", "/api/responses")).status == 204
        assert (await server.get("/api/responses")).body == {**NOTHING, "days": 30}
        assert (await server.get(f"/v1/responses/{running.id}")).status == 404
        await settled(server)
        assert b"wholezq" not in await asyncio.to_thread(data_of, settings.data_dir)
        await say(client, "script: say=allzq")
        assert (await server.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
        assert (await server.get("/api/responses")).body["responses"] == 0
        assert b"allzq" not in await asyncio.to_thread(data_of, settings.data_dir)


async def test_expiry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = 0.0

    def clock() -> float:
        return time.time() + moved

    async with serving(settings) as server, client_of(server) as client:
        service = server.app.responses
        monkeypatch.setattr(service, "_clock", clock)
        monkeypatch.setattr(server.app.storage.responses, "_clock", clock)
        app = server.app
        services = (app.conversations, service, app.ingestor, app.gallery)
        retention = RetentionService(app.live_settings, app.storage, *services, clock)
        await retention.run_once()
        first = await say(client, "script: say=firstzq")
        lonely = await say(client, "script: say=lonelyzq")
        talk = await client.conversations.create(metadata={"a": "talkzq"})
        moved = 20 * DAY_S
        second = await say(client, "script: words=1", previous_response_id=first.id)
        moved = 31 * DAY_S
        assert (await server.get(f"/v1/responses/{lonely.id}")).status == 404, "not erased yet, but gone"
        assert (await server.get(f"/v1/conversations/{talk.id}")).status == 404
        await say(client, "script: words=1", previous_response_id=second.id)
        await retention.run_once()
        assert b"lonelyzq" in await asyncio.to_thread(data_of, settings.data_dir), "a clock that leapt erases nothing"
        await retention.run_once()
        data = await asyncio.to_thread(data_of, settings.data_dir)
        assert b"lonelyzq" not in data
        assert b"talkzq" not in data
        assert b"firstzq" in data, "what is continued lives on"
        moved = 62 * DAY_S
        await retention.run_once()
        await retention.run_once()
        assert b"firstzq" not in await asyncio.to_thread(data_of, settings.data_dir)


async def test_nothing_is_kept_where_the_setting_is_0(settings: Settings) -> None:
    async with serving(replace(settings, response_days=0)) as server, client_of(server) as client:
        made = await say(client, "script: say=zerozq", store=True)
        assert made.output_text == "zerozq"
        assert (await server.get(f"/v1/responses/{made.id}")).status == 404
        assert b"zerozq" not in await asyncio.to_thread(data_of, settings.data_dir)
        refused: list[JSON] = [
            {"previous_response_id": made.id},
            {"conversation": "conv_1"},
            {"background": True},
        ]
        for field in refused:
            reply = await server.post("/v1/responses", {"model": "scripted", "input": "Hi", **field})
            assert (reply.status, reply.error["param"]) == (400, *field)
            assert "response_days is 0" in reply.error["message"]
        with pytest.raises(openai.BadRequestError, match="response_days is 0"):
            await client.conversations.create()
        with pytest.raises(openai.BadRequestError, match="response_days is 0"):
            await say(client, [{"type": "item_reference", "id": "msg_1"}])
    async with serving(replace(settings, keep_days=7)) as server:
        assert (await server.get("/api/responses")).body["days"] == 7


async def test_what_is_another_persons_is_not_there(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    who = LOCAL_PRINCIPAL

    async def identify(*_: object, **__: object) -> Principal:
        return who

    monkeypatch.setattr(AccessControl, "identify", identify)
    async with client_of(fresh) as client:
        made = await say(client, "script: words=1", background=True)
        await finished(client, made.id)
        talk = await client.conversations.create(items=[{"role": "user", "content": "Hello"}])
        (item,) = (await client.conversations.items.list(talk.id)).data
        who = Principal("someone")
        for method, path in (
            ("GET", f"/v1/responses/{made.id}"),
            ("GET", f"/v1/responses/{made.id}?stream=true"),
            ("GET", f"/v1/responses/{made.id}/input_items"),
            ("POST", f"/v1/responses/{made.id}/cancel"),
            ("DELETE", f"/v1/responses/{made.id}"),
            ("GET", f"/v1/conversations/{talk.id}"),
            ("DELETE", f"/v1/conversations/{talk.id}"),
            ("GET", f"/v1/conversations/{talk.id}/items"),
            ("GET", f"/v1/conversations/{talk.id}/items/{item.id}"),
            ("DELETE", f"/v1/conversations/{talk.id}/items/{item.id}"),
        ):
            assert (await fresh.call(method, path)).status == 404, (method, path)
        fields: list[JSON] = [
            {"previous_response_id": made.id},
            {"conversation": talk.id},
            {"input": [{"type": "item_reference", "id": item.id}]},
        ]
        for field in fields:
            reply = await fresh.post("/v1/responses", {"model": "scripted", "input": "Hi", **field})
            assert reply.status == 404, field
        assert (await fresh.get("/api/responses")).body["responses"] == 0
        await fresh.call("DELETE", "/api/responses")
        who = LOCAL_PRINCIPAL
        assert (await fresh.get("/api/responses")).body == {**NOTHING, "responses": 1, "conversations": 1, "days": 30}


async def test_what_cannot_be_is_refused(server: Server) -> None:
    both = {"previous_response_id": "resp_1", "conversation": "conv_1"}
    unstored = {"background": True, "store": False}
    for body, param in ((both, "conversation"), (unstored, "background")):
        reply = await server.post("/v1/responses", {"model": "scripted", "input": "Hi", **body})
        assert (reply.status, reply.error["param"]) == (400, param)
    reply = await server.post("/v1/responses", {"model": "scripted", "input": "Hi", "previous_response_id": "resp_1"})
    assert (reply.status, reply.error["param"]) == (404, "previous_response_id")


async def test_an_answer_that_cannot_be_stored_is_given_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(server.app.storage.responses, "add_response", fail)
    for stream in (False, True):
        body = {"model": "scripted", "input": "script: say=Bonjour", "stream": stream}
        reply = await server.post("/v1/responses", body)
        assert reply.status == 200
        assert b"Bonjour" in reply.raw
        assert reply.raw.count(b'"store":false') == 1


async def test_no_damaged_value_of_a_stored_response_is_a_fault_of_eclair(
    fresh: Server, caplog: pytest.LogCaptureFixture
) -> None:
    talk = (await fresh.post("/v1/conversations", {"items": [{"role": "user", "content": "Hello"}]})).body["id"]
    body = {"model": "scripted", "input": "script: words=2", "background": True, "stream": True, "conversation": talk}
    begun = (await fresh.post("/v1/responses", body)).raw
    id = orjson.loads(begun.split(b"\n")[1].removeprefix(b"data: "))["response"]["id"]
    paths = [f"/v1/responses/{id}{rest}" for rest in ("", "?stream=true", "/input_items")]
    paths += [f"/v1/conversations/{talk}", f"/v1/conversations/{talk}/items", "/api/responses"]
    asked: list[JSON] = [{"previous_response_id": id}, {"conversation": talk}]
    with loosened(fresh.app.settings.data_dir / "eclair.db") as db:
        damaged = [(table, column) for table, column in columns(db) if table.startswith("api_")]
        assert {table for table, _ in damaged} == {"api_conversation", "api_event", "api_item", "api_response"}
        for table, column in [*damaged, ("api_item", "body")]:
            for value in (*WRONG, "{}"):
                key = "response" if table == "api_event" else "rowid"
                rows = list(db.execute(f"SELECT {key}, {column} FROM {table}"))
                db.execute(f"UPDATE {table} SET {column} = ?", (value,))
                replies = [await fresh.get(path) for path in paths]
                for more in asked:
                    question = {"model": "scripted", "input": "script: words=1", "store": False, **more}
                    replies.append(await fresh.post("/v1/responses", question))
                assert not [reply for reply in replies if reply.status == 500], (table, column, value, caplog.text)
                for row, former in rows:
                    db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (former, row))
    assert "Traceback" not in caplog.text
