"""Bad input gets one clear sentence, and nothing of what was there is lost."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import StoreError
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def conversation(server: Server) -> str:
    """A conversation with a turn in it."""
    id = await server.begin()
    await server.say(id, "Hello\nscript: words=3")
    return id


TOO_LONG = "word " * 40_000

CASES: list[tuple[str, Any, int, str, str | None]] = [
    ("empty", {"text": ""}, 400, "The message is empty", "text"),
    ("blank", {"text": " \n\t\u2003"}, 400, "The message is empty", "text"),
    ("large", {"text": "x" * 10_000_000}, 413, r"9,765 KiB; the limit is 1,024 KiB \(ECLAIR_MAX_MESSAGE_KB\)", "text"),
    ("longer than the context", {"text": TOO_LONG}, 413, "40,008 tokens long, and this model can read", None),
    ("invalid UTF-8", b'{"text":"\xff\xfe"}', 400, "not JSON in UTF-8", None),
    ("NUL", {"text": "a\0b"}, 400, "NUL character", "text"),
    ("half a character", b'{"text":"a\\ud800b"}', 400, "half a character", None),
    ("no JSON", b"{", 400, "not JSON", None),
    ("an array", b"[]", 400, "", None),
    ("null", b"null", 400, "", None),
    ("nothing", b"", 400, "empty", None),
    ("a number beyond 64 bits", {"text": "x", "seed": 1 << 63}, 400, "'seed'", "seed"),
    ("a number far beyond 64 bits", b'{"text": "x", "seed": 1%s}' % (b"0" * 30), 400, "beyond 64 bits", None),
    ("a flag that is a number", {"text": "x", "max_tokens": True}, 400, "'max_tokens'", "max_tokens"),
    ("a number that is a text", {"text": "x", "temperature": "1"}, 400, "'temperature'", "temperature"),
    ("deep", b'{"text":' + b"[" * 200_000, 400, "", None),
    ("text of the wrong type", {"text": 5}, 400, "'text' is wrong", "text"),
    ("temperature of the wrong type", {"text": "x", "temperature": "hot"}, 400, "'temperature'", "temperature"),
    ("temperature out of range", {"text": "x", "temperature": 3}, 400, "'temperature'", "temperature"),
    ("temperature that is no number", b'{"text":"x","temperature":NaN}', 400, "'temperature'", "temperature"),
    ("max_tokens", {"text": "x", "max_tokens": 0}, 400, "'max_tokens'", "max_tokens"),
    ("seed", {"text": "x", "seed": 1.5}, 400, "'seed'", "seed"),
    ("an id of another form", {"text": "x", "id": "msg_1"}, 400, "'id'", "id"),
    ("an unknown field", {"text": "x", "txet": "y"}, 400, "does not know the field 'txet'", "txet"),
    ("an unknown field of half a character", b'{"text":"x","\\ud800":1}', 400, "half a character", None),
    ("an unknown model", {"text": "x", "model": "gpt"}, 404, "no model 'gpt'. Available: scripted", "model"),
    ("a model of half a character", b'{"text":"x","model":"\\ud800"}', 400, "half a character", None),
    ("a system prompt of half a character", b'{"text":"x","system":"\\ud800"}', 400, "half a character", None),
]


@pytest.mark.parametrize(
    ("body", "status", "message", "param"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_a_turn_that_cannot_be_is_refused_in_one_sentence(
    server: Server, conversation: str, body: Any, status: int, message: str, param: str | None
) -> None:
    path = f"/api/conversations/{conversation}/turns"
    before = await server.tree(conversation)
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    reply = await server.call("POST", path, data=data)
    assert reply.status == status, reply
    error = reply.error
    assert re.search(message, error["message"]), error
    assert len(error["message"]) < 300
    assert "\n" not in error["message"]
    if param is not None:
        assert error["param"] == param
    assert await server.tree(conversation) == before


async def test_a_message_of_the_largest_size_is_taken(server: Server) -> None:
    text = "x" * (1024 * 1024)
    id = await server.begin()
    answer = await server.say(id, text)
    assert answer["status"] == "finished"
    assert (await server.tree(id))["messages"][0]["parts"][0]["text"] == text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/conversations/conv_x", None),
        ("PATCH", "/api/conversations/conv_x", {"title": "x"}),
        ("DELETE", "/api/conversations/conv_x", None),
        ("POST", "/api/conversations/conv_x/turns", {"text": "x"}),
        ("GET", "/api/runs/run_x", None),
        ("GET", "/api/runs/run_x/events", None),
        ("POST", "/api/runs/run_x/stop", None),
        ("GET", "/api/conversations/%00%FF", None),
        ("GET", "/nowhere", None),
        ("GET", "/api/nowhere", None),
    ],
)
async def test_what_is_not_there_is_named(server: Server, method: str, path: str, body: Any) -> None:
    reply = await server.call(method, path, body)
    assert reply.status == 404
    assert reply.error["code"] == "not_found"
    assert "_x" not in path or "_x'" in reply.error["message"]


async def test_a_method_that_is_not_possible(server: Server) -> None:
    reply = await server.call("PUT", "/api/models")
    assert reply.status == 405
    assert reply.error["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/api/conversations?before=x", "before"),
        ("/api/conversations?before=" + "9" * 30, "before"),
        ("/api/conversations?before=-" + "9" * 30, "before"),
        ("/api/conversations?limit=0", "limit"),
        ("/api/conversations?limit=1000000", "limit"),
        ("/api/search?q=x&limit=101", "limit"),
    ],
)
async def test_a_query_that_is_wrong_is_named(server: Server, path: str, param: str) -> None:
    reply = await server.get(path)
    assert reply.status == 400
    assert reply.error["param"] == param


HUGE = "99999999999999999999"
MOST = str((1 << 53) - 1)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        (f"pages/{HUGE}", "number"),
        (f"pages/{HUGE}/picture", "number"),
        (f"boxes?start=0&end={HUGE}", "end"),
        (f"boxes?start={HUGE}&end=5", "start"),
        ("boxes?start=0&end=9223372036854775808", "end"),
    ],
)
async def test_a_number_that_no_database_holds_is_named(server: Server, path: str, param: str) -> None:
    file = (await server.call("POST", "/api/files?name=a.txt", data=b"Hello.")).body
    reply = await server.get(f"/api/files/{file['id']}/{path}")
    assert reply.status == 400
    assert reply.error["param"] == param
    most = await server.get(f"/api/files/{file['id']}/{path.replace(HUGE, MOST).replace('9223372036854775808', MOST)}")
    assert most.status in (200, 404)


BODY = orjson.dumps({"model": "scripted", "messages": [{"role": "user", "content": "script: words=3"}]})


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"])
async def test_json_is_taken_under_any_content_type(server: Server, path: str, kind: str) -> None:
    assert (await server.call("POST", path, data=BODY, headers={"Content-Type": kind})).status == 200
    reply = await server.call("POST", path, data=b"model=scripted", headers={"Content-Type": kind})
    assert reply.status == 400
    assert "not JSON" in reply.error["message"]


async def test_json_is_taken_without_a_content_type(server: Server) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(BODY)}"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
    writer.write(f"{head}\r\n\r\n".encode() + BODY)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("title", ["x" * 201, 5])
async def test_a_title_that_is_wrong_is_named(server: Server, conversation: str, title: Any) -> None:
    data = json.dumps({"title": title}).encode()
    for method, path in (("POST", "/api/conversations"), ("PATCH", f"/api/conversations/{conversation}")):
        reply = await server.call(method, path, data=data)
        assert reply.status == 400
        assert reply.error["param"] == "title"


async def test_a_body_that_is_too_large_is_refused(server: Server, conversation: str) -> None:
    path = f"/api/conversations/{conversation}/turns"
    reply = await server.call("POST", path, data=b"x" * (33 << 20))
    assert reply.status == 413
    assert "32 MiB" in reply.error["message"]

    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(33):
            yield b" " * (1 << 20)

    reply = await server.call("POST", path, data=endless())
    assert reply.status == 413
    assert "32 MiB" in reply.error["message"]


async def test_a_store_that_fails_is_said(server: Server, conversation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(*_: object) -> None:
        raise StoreError("The database is locked by another program; close that program and try again.")

    monkeypatch.setattr(server.app.storage.runs, "open_turn", locked)
    reply = await server.post(f"/api/conversations/{conversation}/turns", {"text": "Hello"})
    assert reply.status == 503
    assert reply.error["code"] == "store"
    monkeypatch.undo()
    assert (await server.say(conversation, "script: words=1"))["status"] == "finished"


async def test_a_mistake_of_our_own_is_said_without_details(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server.app.storage.conversations, "list_conversations", bug)
    reply = await server.get("/api/conversations")
    assert reply.status == 500
    assert "secret" not in reply.raw.decode()
    assert reply.error["code"]
    assert "secret" in caplog.text


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
fields = st.sampled_from(
    [
        "parent",
        "retry",
        "continue",
        "id",
        "model",
        "system",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "x",
        "pinned",
        "archived",
        "tags",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(body=st.dictionaries(fields, values, max_size=4) | values)
async def test_nothing_that_is_sent_is_our_mistake(server: Server, conversation: str, body: Any) -> None:
    replies = await asyncio.gather(
        server.call("POST", f"/api/conversations/{conversation}/turns", data=json.dumps(body).encode()),
        server.call("POST", "/v1/chat/completions", data=json.dumps(body).encode()),
        server.call("PATCH", f"/api/conversations/{conversation}", data=json.dumps(body).encode()),
    )
    for reply in replies:
        assert reply.status < 500, reply
