"""`/v1/files`, and files that go along with a request, spoken by OpenAI's own client."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import aiohttp
import anthropic
import openai
import orjson
import pytest
from openai.types import FileObject
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.files import Upload
from tests.server.test_documents import SHIPS, TOWER, add, asked, reading, ready, running_on
from tests.server.test_relevance import SAYS as NOTHING
from tests.server.test_responses import known_response
from tests.server.test_v1 import client_of, exact
from tests.support import JSON, Server, an_hour_ago

pytestmark = pytest.mark.asyncio

SAYS = "The tower is 330 metres high. Nobody painted it blue."
ASKED = "How high is the tower?"
DATA = f"data:text/markdown;base64,{base64.b64encode(TOWER.encode()).decode()}"
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture
async def spoken(settings: Settings) -> AsyncGenerator[tuple[Server, Any, openai.AsyncOpenAI]]:
    async with reading(settings) as (server, model), client_of(server) as client:
        model.says = SAYS
        yield server, model, client


def chat_about(file: JSON) -> Any:
    return [{"role": "user", "content": [{"type": "file", "file": file}, {"type": "text", "text": ASKED}]}]


def input_about(file: JSON) -> Any:
    content = [{"type": "input_file", **file}, {"type": "input_text", "text": ASKED}]
    return [{"role": "user", "content": content}]


async def test_a_file_comes_is_listed_and_goes(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, _, client = spoken
    made = await client.files.create(file=("tower.md", TOWER.encode()), purpose="user_data")
    assert (made.filename, made.bytes, made.purpose) == ("tower.md", len(TOWER.encode()), "user_data")
    await ready(server, {"id": made.id})
    shown = exact(FileObject, (await server.get(f"/v1/files/{made.id}")).body)
    assert (shown.status, shown.status_details, shown.created_at) == ("processed", None, made.created_at)
    other = await client.files.create(file=("../other.txt", b"A cat."), purpose="assistants")
    assert (other.filename, other.purpose) == ("other.txt", "assistants")
    assert [file.id async for file in client.files.list(limit=1)] == [other.id, made.id]
    assert [file.id async for file in client.files.list(purpose="batch")] == []
    assert (await client.files.content(made.id)).content == TOWER.encode()
    (library,) = (await server.get("/api/libraries")).body
    assert (library["name"], library["files"]) == ("api", 2)
    assert (await client.files.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        await client.files.retrieve(made.id)
    assert made.id in caught.value.message


async def test_files_expire_and_are_listed_in_either_order(
    spoken: tuple[Server, Any, openai.AsyncOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _, client = spoken
    kept = await client.files.create(file=("a.md", b"A river."), purpose="user_data")
    lines = await client.files.create(file=("b.jsonl", b"{}"), purpose="batch")
    brief = await client.files.create(
        file=("c.md", b"A bridge."), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert brief.expires_at == brief.created_at + 3600
    ids = [kept.id, lines.id, brief.id]
    assert [file.id async for file in client.files.list(order="asc", limit=1)] == ids
    assert [file.id async for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id async for file in client.files.list(purpose="batch")] == [lines.id]
    assert [file.id async for file in client.files.list(purpose="assistants")] == [brief.id]
    past = Upload("assistants", int((time.time() - 60) * 1000))
    with monkeypatch.context() as behind:
        behind.setattr(type(server.app.storage.processes), "clock", an_hour_ago)
        await server.app.storage.files.note_upload(LOCAL_PRINCIPAL, brief.id, past)
        assert (await client.files.retrieve(brief.id)).id == brief.id, "it lasts by the clock that all servers share"
    assert [file.id async for file in client.files.list(order="asc")] == ids[:2]
    for call in (client.files.retrieve, client.files.content):
        with pytest.raises(openai.NotFoundError, match="has expired"):
            await call(brief.id)


async def test_files_that_come_at_once_make_one_library(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, _, client = spoken
    texts = [f"Text {number}.".encode() for number in (1, 1, 2, 3)]
    made = await asyncio.gather(*(client.files.create(file=("a.txt", text), purpose="user_data") for text in texts))
    assert len({file.id for file in made}) == 4
    assert len((await server.get("/api/libraries")).body) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"purpose": "user_data"}, "The field 'file' is missing"),
        ({"file": b"x"}, "The field 'purpose' is one of user_data, assistants, batch."),
        ({"file": b"x", "purpose": "fine-tune"}, "The field 'purpose' is one of user_data, assistants, batch."),
        ({"file": b"x", "purpose": "user_data", "expires_after[anchor]": "now"}, "expires_after[anchor]"),
        ({"file": b"x", "purpose": "user_data", "expires_after[seconds]": "60"}, "from 3600 to 2592000"),
        ({"file": b"x", "purpose": "user_data", "lifetime": "60"}, "lifetime"),
        ({"file": b"", "purpose": "user_data"}, "a.txt is empty"),
        ({"file": "no file", "purpose": "user_data"}, "The field 'file' is missing"),
    ],
)
async def test_what_is_no_file_is_refused(
    spoken: tuple[Server, Any, openai.AsyncOpenAI], fields: dict[str, Any], said: str
) -> None:
    server, _, _ = spoken
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value, filename="a.txt" if isinstance(value, bytes) else None)
    async with server.http.post(f"{server.address}/v1/files", data=form) as response:
        error = (await response.json())["error"]
        assert (response.status, error["type"]) == (400, "invalid_request_error")
        assert said in error["message"]
    assert (await server.get("/v1/files")).body["data"] == []


async def test_what_is_no_form_and_what_is_too_large_is_refused(settings: Settings) -> None:
    async with reading(replace(settings, max_file_mb=1)) as (server, _):
        form = await server.post("/v1/files", {"file": "x"})
        assert form.status == 400
        broken = await server.post(
            "/v1/files", data=b"--x\r\nrubbish", headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert broken.status == 400
        async with client_of(server) as client:
            for size in (1_000_001, 3_000_000):
                with pytest.raises(openai.APIStatusError) as caught:
                    await client.files.create(file=("big.txt", b"x" * size), purpose="user_data")
                assert caught.value.status_code == 413
                assert "1 MB, the limit (ECLAIR_MAX_FILE_MB)" in caught.value.message


async def test_a_small_model_is_led_by_quotes_and_not_asked_where_nothing_answers(settings: Settings) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, model), client_of(server) as client:
        model.says = "> It is big."
        made = await client.files.create(file=("tower.md", TOWER.encode()), purpose="user_data")
        wanted: Any = {"model": "tiny-0.1b", "messages": chat_about({"file_id": made.id})}
        reply = exact(ChatCompletion, (await server.post("/v1/chat/completions", wanted)).body)
        choice = reply.choices[0].message
        assert choice.content is not None
        assert choice.content.startswith("> ")
        assert choice.content.endswith("\n\nIt is big."), "the model's own words are no quote"
        assert choice.annotations is not None
        cited = choice.annotations[0].url_citation
        assert choice.content[cited.start_index : cited.end_index] in TOWER.replace("\n", " ")
        streamed = await client.chat.completions.create(stream=True, **wanted)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices]
        assert "".join(pieces) == choice.content
        form = {"type": "json_object"}
        plain = exact(
            ChatCompletion, (await server.post("/v1/chat/completions", {**wanted, "response_format": form})).body
        )
        assert plain.choices[0].message.content == "> It is big."

        calls = len(model.standin.calls)
        content = [{"type": "input_file", "file_id": made.id}, {"type": "input_text", "text": "How do I cook rice?"}]
        body = {"model": "tiny-0.1b", "input": [{"role": "user", "content": content}]}
        said = exact(Response, known_response((await server.post("/v1/responses", body)).body))
        assert said.output_text == NOTHING["en"]
        assert said.status == "completed"
        assert [call.path for call in model.standin.calls[calls:] if "chat" in call.path] == []


async def test_a_response_cites_the_file(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, model, client = spoken
    made = await client.files.create(file=("tower.md", TOWER.encode()), purpose="user_data")
    body = {"model": "reader", "input": input_about({"file_id": made.id})}
    reply = exact(Response, known_response((await server.post("/v1/responses", body)).body))
    assert reply.output_text == SAYS
    (item,) = reply.output
    assert item.type == "message"
    assert item.content[0].type == "output_text"
    (citation,) = item.content[0].annotations
    assert citation.type == "file_citation"
    assert (citation.file_id, citation.filename) == (made.id, "tower.md")
    assert SAYS[: citation.index] == "The tower is 330 metres high."
    assert asked(model).count("<passages>") == 1
    assert asked(model).index("330 metres") < asked(model).index(ASKED)

    raw = (await server.post("/v1/responses", {**body, "stream": True})).raw.decode().split("\n\n")
    events = [orjson.loads(block.partition("data: ")[2]) for block in raw if block]
    for event in events:
        EVENT.validate_json(orjson.dumps(event))
    (added,) = (event for event in events if event["type"] == "response.output_text.annotation.added")
    assert added["annotation"] == citation.model_dump()
    assert events[-1]["response"]["output"][0]["content"][0]["annotations"] == [added["annotation"]]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_a_chat_completion_cites_the_page(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, _, client = spoken
    file = await ready(server, await add(server))
    messages = chat_about({"file_id": file["id"]})
    body = {"model": "reader", "messages": messages, "n": 2}
    reply = exact(ChatCompletion, (await server.post("/v1/chat/completions", body)).body)
    cited: JSON = {}
    for choice in reply.choices:
        assert choice.message.content == SAYS
        assert choice.message.annotations is not None
        (annotation,) = choice.message.annotations
        cited = annotation.url_citation.model_dump()
        assert SAYS[cited["start_index"] : cited["end_index"]] == "The tower is 330 metres high."
        assert cited["title"].startswith("tower.md › The tower")
        assert "330 metres" in (await server.get(cited["url"].removeprefix(server.address))).body["text"]
    stream = await client.chat.completions.create(model="reader", messages=messages, stream=True)
    chunks: list[ChatCompletionChunk] = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta.model_dump() for chunk in chunks]
    (given,) = [delta["annotations"] for delta in deltas if "annotations" in delta]
    assert given[0]["url_citation"] == cited
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_an_annotation_leads_to_the_page_of_its_quote(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, model, client = spoken
    file = await ready(server, await add(server, running_on(), "coast.pdf"))
    model.says = SHIPS
    reply = await client.chat.completions.create(model="reader", messages=chat_about({"file_id": file["id"]}))
    (annotation,) = reply.choices[0].message.annotations or []
    assert annotation.url_citation.title == "coast.pdf › page 2"
    assert annotation.url_citation.url.endswith(f"/api/files/{file['id']}/pages/2")


@pytest.mark.parametrize("data", [DATA, DATA.partition(",")[2]])
async def test_what_is_sent_along_is_read_and_kept_nowhere(
    spoken: tuple[Server, Any, openai.AsyncOpenAI], settings: Settings, data: str
) -> None:
    server, model, client = spoken
    chat = await client.chat.completions.create(
        model="reader", messages=chat_about({"file_data": data, "filename": "tower.md"})
    )
    assert chat.choices[0].message.content == SAYS
    assert chat.choices[0].message.annotations is None, "the page cannot be looked at"
    assert "[1] tower.md" in asked(model)
    reply = await client.responses.create(model="reader", input=input_about({"file_data": data, "filename": "t.md"}))
    assert reply.output_text == SAYS
    (item,) = reply.output
    assert item.type == "message"
    assert item.content[0].type == "output_text"
    assert [note.filename for note in item.content[0].annotations if note.type == "file_citation"] == ["t.md"]
    assert (await server.get("/api/files")).body["files"] == []
    assert [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()] == []


async def test_an_earlier_file_answers_a_later_question(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, model, client = spoken
    file = await add(server)
    said: Any = [
        *chat_about({"file_id": file["id"]}),
        {"role": "assistant", "content": "330 metres."},
        {"role": "user", "content": "Who built the tower of Ettelbruck?"},
    ]
    await client.chat.completions.create(model="reader", messages=said)
    shown = asked(model)
    assert shown.index(ASKED) < shown.index("<passages>") < shown.index("Who built")


@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        ({"file_id": "file_none"}, 404, "There is no file 'file_none'."),
        ({"file_data": "%%%", "filename": "a.txt"}, 400, "The file_data of a.txt is empty or not base64"),
        ({"file_data": "data:text/plain,hello"}, 400, "not base64"),
        ({"file_data": ""}, 400, "not base64"),
        ({}, 400, "either file_id or file_data"),
        ({"file_id": "file_a", "file_data": DATA}, 400, "either file_id or file_data"),
        ({"file_data": base64.b64encode(b"%PDF-1.7\nrubbish").decode(), "filename": "a.pdf"}, 422, "a.pdf is damaged"),
        ({"file_data": DATA, "filename": "../up.md"}, 400, "filename"),
        ({"file_url": "http://localhost/a.pdf"}, 400, "file_url"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    spoken: tuple[Server, Any, openai.AsyncOpenAI], file: JSON, status: int, said: str
) -> None:
    server, _, _ = spoken
    for path, body in (
        ("chat/completions", {"messages": chat_about(file)}),
        ("responses", {"input": input_about(file), "stream": True}),
    ):
        reply = await server.post(f"/v1/{path}", {"model": "reader", **body})
        assert reply.status == status, (path, reply)
        assert said in reply.error["message"]
    assert (await server.get("/api/files")).body["files"] == []


async def test_a_file_without_a_question_is_refused(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, _, _ = spoken
    content = [{"type": "file", "file": {"file_data": DATA}}]
    reply = await server.post(
        "/v1/chat/completions", {"model": "reader", "messages": [{"role": "user", "content": content}]}
    )
    assert reply.status == 400
    assert "Nothing is asked about the file" in reply.error["message"]


async def test_documents_of_anthropics_client(spoken: tuple[Server, Any, openai.AsyncOpenAI]) -> None:
    server, model, client = spoken
    made = await client.files.create(file=("tower.md", TOWER.encode()), purpose="user_data")
    sources: list[Any] = [
        {"type": "base64", "media_type": "text/plain", "data": base64.b64encode(TOWER.encode()).decode()},
        {"type": "text", "media_type": "text/plain", "data": TOWER},
        {"type": "content", "content": [{"type": "text", "text": TOWER}]},
        {"type": "file", "file_id": made.id},
    ]
    async with anthropic.AsyncAnthropic(base_url=server.address, max_retries=0, api_key="none") as claude:
        for source in sources:
            document: Any = {"type": "document", "source": source, "title": "tower", "citations": {"enabled": True}}
            question: Any = {"type": "text", "text": ASKED}
            result: Any = {"type": "tool_result", "tool_use_id": "a", "content": [document]}
            call: Any = {"type": "tool_use", "id": "a", "name": "read", "input": {}}
            for messages in (
                [{"role": "user", "content": [document, question]}],
                [
                    {"role": "user", "content": [question]},
                    {"role": "assistant", "content": [call]},
                    {"role": "user", "content": [result]},
                ],
            ):
                await claude.messages.create(model="reader", max_tokens=50, messages=messages)  # pyright: ignore
                shown = next(call for call in reversed(model.standin.calls) if "chat" in call.path)
                assert "330 metres" in str(shown.json["messages"])
    assert len([file async for file in client.files.list()]) == 1, "documents inside a request are not kept"
