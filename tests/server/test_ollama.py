"""Ollama's API, spoken by Ollama's own client."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import ollama
import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from eclair.errors import PortInUse
from eclair.llm.scripted import prose
from eclair.server import sse
from eclair.settings import EngineSettings, Settings
from tests.documents import photos
from tests.llm.standin import Call, standing_in
from tests.server.test_v1 import settled
from tests.support import JSON, Door, Server, served_in_process, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALL = 'script: tool=look_up{"city":"Aachen"}'
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "description": "Looks.", "parameters": {}}}]


@contextlib.asynccontextmanager
async def client_of(server: Door, **more: Any) -> AsyncGenerator[ollama.AsyncClient]:
    """A client that doesn't spend a second on reading certificates, which http doesn't need."""
    client = ollama.AsyncClient(host=server.address, verify=False, **more)
    async with client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[ollama.AsyncClient]:
    async with client_of(server) as client:
        yield client


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that reach the engine."""
    requests: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        requests.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    return requests


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def lines(raw: bytes) -> list[JSON]:
    assert raw.endswith(b"\n")
    return [orjson.loads(line) for line in raw.splitlines()]


async def test_models(server: Server, client: ollama.AsyncClient) -> None:
    listed = (await client.list()).models
    names = [model.model for model in listed]
    assert names == [
        "scripted:latest",
        "flash:latest",
        "auto:latest",
        "think:latest",
        "multilingual-e5-small:latest",
    ]
    raw = (await server.get("/api/tags")).body["models"][0]
    assert raw["name"] == raw["model"]
    assert len(raw["digest"]) == 64
    for name in ("scripted", "scripted:latest"):
        shown = await client.show(name)
        assert shown.capabilities == ["completion", "tools", "thinking"]
        assert shown.modelinfo == {
            "general.architecture": "scripted",
            "general.basename": "Scripted",
            "scripted.context_length": 32768,
        }
        assert shown.license == "Apache-2.0"
    assert (await client.show("multilingual-e5-small:latest")).capabilities == ["embedding"]
    assert (await client.show("auto")).capabilities == ["completion", "tools"]
    assert (await client.ps()).models == []
    assert tuple(map(int, (await server.get("/api/version")).body["version"].split("."))) >= (0, 6, 4)


async def test_chat_whole(server: Server, client: ollama.AsyncClient) -> None:
    reply = await client.chat("scripted:latest", user("script: words=5"))
    assert (reply.message.role, reply.message.content) == ("assistant", "".join(prose(5)))
    assert (reply.model, reply.done, reply.done_reason) == ("scripted:latest", True, "stop")
    assert (reply.prompt_eval_count, reply.eval_count) == (2, 5)
    raw = (await server.post("/api/chat", {"model": "scripted", "messages": user("script:"), "stream": False})).body
    assert raw["created_at"].endswith("Z")
    assert "thinking" not in raw["message"]
    assert "tool_calls" not in raw["message"]


async def test_chat_is_streamed_unless_it_says_otherwise(server: Server, client: ollama.AsyncClient) -> None:
    reply = await server.post("/api/chat", {"model": "scripted", "messages": user("script: words=50 rate=500")})
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    *parts, last = lines(reply.raw)
    assert len(parts) > 1
    assert "".join(part["message"]["content"] for part in parts) == "".join(prose(50))
    assert not any(part["done"] for part in parts)
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 50)
    assert last["total_duration"] >= last["eval_duration"] + last["prompt_eval_duration"]
    assert last["eval_duration"] > 50_000_000, "fifty words at five hundred a second"
    text = ""
    async for part in await client.chat("scripted", user("script: words=50"), stream=True):
        text += part.message.content or ""
    assert text == "".join(prose(50))


async def test_loading_is_measured(client: ollama.AsyncClient) -> None:
    reply = await client.chat("scripted", user("script: words=2 load=0.8"))
    assert 0.2e9 < (reply.load_duration or 0) < (reply.total_duration or 0)


async def test_thinking(client: ollama.AsyncClient, asked: list[Any]) -> None:
    question = user("script: reasoning=3 words=2")
    for think, effort in ((None, None), (True, "medium"), ("high", "high")):
        reply = await client.chat("scripted", question, think=think)  # pyright: ignore[reportArgumentType]
        assert len((reply.message.thinking or "").split()) == 3
        assert reply.message.content == "".join(prose(2))
        assert asked[-1].extra.get("reasoning_effort") == effort
    reply = await client.chat("scripted", question, think=False)
    assert reply.message.thinking is None
    assert asked[-1].extra["reasoning_effort"] == "none"
    again = [*question, reply.message, {"role": "user", "content": "script: words=1"}]
    await client.chat("scripted", [*again[:1], {"role": "assistant", "content": "x", "thinking": "hm"}, again[-1]])
    assert [message.content for message in asked[-1].messages] == [question[0]["content"], "x", "script: words=1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_there_and_back(client: ollama.AsyncClient, asked: list[Any], stream: bool) -> None:
    if stream:
        parts = [part async for part in await client.chat("scripted", user(CALL), tools=TOOLS, stream=True)]
        message = next(part.message for part in parts if part.message.tool_calls)
    else:
        message = (await client.chat("scripted", user(CALL), tools=TOOLS)).message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("look_up", {"city": "Aachen"})
    assert asked[-1].tools[0]["function"]["name"] == "look_up"
    result = {"role": "tool", "tool_name": "look_up", "content": "It rains."}
    await client.chat("scripted", [*user(CALL), message, result, *user("script: words=1")], tools=TOOLS)
    _, called, told, _ = asked[-1].messages
    assert json.loads(called.tool_calls[0]["function"]["arguments"]) == {"city": "Aachen"}
    assert (told.role, told.content, told.tool_call_id) == ("tool", "It rains.", called.tool_calls[0]["id"])


async def test_results_find_their_calls(server: Server, asked: list[Any]) -> None:
    def call(name: str, **id: str) -> JSON:
        return {**id, "function": {"name": name, "arguments": {}}}

    messages = [
        *user("x"),
        {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b"), call("a"), call("c", id="own")]},
        {"role": "tool", "content": "4", "tool_call_id": "own"},
        {"role": "tool", "content": "2", "tool_name": "b"},
        {"role": "tool", "content": "1"},
        {"role": "tool", "content": "3", "tool_name": "a"},
        *user("script: words=1"),
    ]
    reply = await server.post("/api/chat", {"model": "scripted", "messages": messages, "stream": False})
    assert reply.status == 200
    ids = [each["id"] for each in asked[-1].messages[1].tool_calls]
    assert len(set(ids)) == 4
    assert [message.tool_call_id for message in asked[-1].messages[2:6]] == [ids[3], ids[1], ids[0], ids[2]]


async def test_arguments_that_are_no_object_are_an_error(server: Server) -> None:
    body = {"model": "scripted", "messages": user('script: tool=look_up{"city"'), "tools": TOOLS}
    reply = await server.post("/api/chat", {**body, "stream": False})
    assert (reply.status, "look_up" in reply.body["error"]) == (502, True)
    streamed = await server.post("/api/chat", body)
    assert (streamed.status, streamed.body) == (502, reply.body), "nothing was sent before it"


async def test_format(client: ollama.AsyncClient, asked: list[Any]) -> None:
    class Town(BaseModel):
        name: str

    schema = Town.model_json_schema()
    reply = await client.chat("scripted", user('script: say={"name": "Aachen"}'), format=schema)
    assert Town.model_validate_json(reply.message.content or "").name == "Aachen"
    assert asked[-1].response_format["json_schema"]["schema"] == schema
    await client.chat("scripted", user("script:"), format="json")
    assert asked[-1].response_format == {"type": "json_object"}
    await client.chat("scripted", user("script:"), format="")
    assert asked[-1].response_format is None


async def test_options_reach_the_engine(client: ollama.AsyncClient, asked: list[Any]) -> None:
    options = {
        "temperature": 0.3,
        "top_p": 0.8,
        "seed": 7,
        "num_predict": 9,
        "stop": ["zebra"],
        "top_k": 20,
        "min_p": 0.1,
        "repeat_penalty": 1.2,
        "repeat_last_n": 32,
        "presence_penalty": 0.5,
        "num_ctx": 8192,
        "num_gpu": 1,
        "num_thread": 4,
        "mirostat": 0,
        "mirostat_tau": 5.0,
        "typical_p": 1.0,
    }
    reply = await client.chat("scripted", user("script: words=20"), options=options, keep_alive="5m")
    assert (reply.eval_count, reply.done_reason) == (9, "length")
    sampling = asked[-1].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed) == (0.3, 0.8, 9, 7)
    assert (sampling.stop, sampling.repeat_penalty) == (("zebra",), 1.2)
    assert asked[-1].extra == {"top_k": 20, "min_p": 0.1, "repeat_last_n": 32, "presence_penalty": 0.5}
    await client.chat("scripted", user("script: words=20"), options={"num_predict": -1, "seed": -1, "mirostat": 2})
    assert (asked[-1].sampling.seed, asked[-1].extra) == (None, {"mirostat": 2})


async def test_images(client: ollama.AsyncClient, server: Server, asked: list[Any]) -> None:
    photo = photos.every()["photo.png"]
    await client.chat("scripted", [{"role": "user", "content": "script: words=1", "images": [photo]}])
    (message,) = asked[-1].messages
    assert message.content.endswith("script: words=1")
    assert len(message.content) > len("script: words=1"), "a model without vision reads a description"
    await client.generate("scripted", "script: words=1", images=[photo])
    assert asked[-1].messages[0].content == message.content
    reply = await server.post("/api/generate", {"model": "scripted", "prompt": "x", "images": ["no"]})
    assert (reply.status, "base64" in reply.body["error"]) == (400, True)


async def test_generate(client: ollama.AsyncClient, asked: list[Any]) -> None:
    reply = await client.generate("scripted", "script: words=5", system="Be brief.")
    assert (reply.response, reply.done_reason, reply.eval_count) == ("".join(prose(5)), "stop", 5)
    assert [(message.role, message.content) for message in asked[-1].messages] == [
        ("system", "Be brief."),
        ("user", "script: words=5"),
    ]
    text = ""
    async for part in await client.generate("scripted", "script: words=30", stream=True):
        text += part.response or ""
    assert text == "".join(prose(30))


async def test_context_goes_on(client: ollama.AsyncClient, server: Server, asked: list[Any]) -> None:
    first = await client.generate("scripted", "script: say=Dag, été 🎉")
    await client.generate("scripted", "script: words=1", context=first.context)
    assert [(message.role, message.content) for message in asked[-1].messages] == [
        ("user", "script: say=Dag, été 🎉"),
        ("assistant", "Dag, été 🎉"),
        ("user", "script: words=1"),
    ]
    for foreign in ([1, 2, 3], [-1], [1 << 40], [0x225B5D]):
        reply = await server.post("/api/generate", {"model": "scripted", "prompt": "x", "context": foreign})
        assert (reply.status, "context" in reply.body["error"]) == (400, True), foreign


async def test_a_raw_prompt_is_continued(client: ollama.AsyncClient, asked: list[Any]) -> None:
    reply = await client.generate("scripted", "script: words=3", raw=True)
    assert (asked[-1].prompt, asked[-1].messages) == ("script: words=3", ())
    assert reply.context is None


async def test_a_suffix_is_filled_in_before(
    client: ollama.AsyncClient, server: Server, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support insert"):
        await client.generate("scripted", "def f(", suffix="return 1")

    async def control_tokens(model: str) -> tuple[str, ...]:
        return ("<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")

    monkeypatch.setattr(server.engine, "control_tokens", control_tokens, raising=False)
    await client.generate("scripted", "def f(", suffix="return 1")
    assert (asked[-1].prompt, asked[-1].suffix) == ("def f(", "return 1")
    assert "insert" in ((await client.show("scripted")).capabilities or [])


async def test_a_server_is_sent_the_suffix(settings: Settings) -> None:
    async def complete(call: Call) -> None:
        await call.stream(b'data: {"choices": [{"text": "x", "finish_reason": "stop"}]}\n\n', b"data: [DONE]\n\n")

    async with standing_in() as standin:
        standin.routes = {"/v1/completions": complete}
        engine = EngineSettings(url=f"{standin.url}/v1", models=("coder",))
        async with serving(replace(settings, engines={"rack": engine})) as server, client_of(server) as client:
            assert (await client.generate("coder", "def f(", suffix="return 1")).response == "x"
        sent = next(call.json for call in standin.calls if call.path == "/v1/completions")
        assert (sent["prompt"], sent["suffix"]) == ("def f(", "return 1")


async def test_a_model_is_loaded_and_unloaded_without_a_question(client: ollama.AsyncClient) -> None:
    assert (await client.chat("scripted", [])).done_reason == "load"
    assert (await client.generate("scripted")).done_reason == "load"
    assert (await client.generate("scripted", keep_alive=0)).done_reason == "unload"
    assert (await client.chat("scripted", keep_alive="0s")).done_reason == "unload"


async def test_embeddings(client: ollama.AsyncClient) -> None:
    reply = await client.embed("scripted", ["a river", "bread"])
    assert len(reply.embeddings) == 2
    assert reply.prompt_eval_count == 3
    assert (await client.embed("scripted", "a river", dimensions=8)).embeddings[0] != reply.embeddings[0]
    assert (await client.embeddings("scripted", "a river")).embedding == reply.embeddings[0]
    assert (await client.embed("scripted", "")).embeddings == []
    assert (await client.embed("scripted", [])).embeddings == []


async def test_what_curl_sends_is_json(server: Server) -> None:
    """The examples of Ollama's documentation name no content type."""
    for content_type in ("application/x-www-form-urlencoded", "text/plain"):
        data = orjson.dumps({"model": "scripted", "prompt": "script: words=1", "stream": False, "unheard": 1})
        reply = await server.post("/api/generate", data=data, headers={"Content-Type": content_type})
        assert (reply.status, reply.body["response"]) == (200, "".join(prose(1)))


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("chat", {"model": "gpt", "messages": user("x")}, 404, "no model 'gpt'"),
        ("chat", {"messages": user("x")}, 400, "'model' is missing"),
        ("chat", {"model": "scripted", "messages": user("script: fail=0")}, 503, "as it was told to"),
        ("chat", {"model": "scripted", "messages": [{"role": "x"}]}, 400, "messages.0.role"),
        ("chat", {"model": "scripted", "messages": user("x"), "format": "xml"}, 400, "format"),
        (
            "chat",
            {"model": "scripted", "messages": user("x"), "tools": [{"type": "function"}]},
            400,
            "tools.0.function",
        ),
        ("chat", {"model": "scripted", "messages": user("x"), "options": {"temperature": -1}}, 400, "temperature"),
        ("generate", {"model": "scripted", "prompt": "x", "template": "{{ .Prompt }}"}, 400, "template"),
        ("generate", {"model": "scripted", "prompt": "x", "raw": True, "format": "json"}, 400, "`format` needs"),
        ("generate", {"model": "scripted", "prompt": "x", "suffix": "y", "images": ["eA=="]}, 400, "`images` needs"),
        ("show", {"model": "gpt"}, 404, "no model 'gpt'"),
        ("pull", {"model": "llama-9"}, 404, "llama-9"),
        ("create", {"model": "x", "from": "y"}, 501, "makes no models"),
        ("copy", {"source": "x", "destination": "y"}, 501, "copies no models"),
        ("push", {"model": "x"}, 501, "sends no models"),
        ("blobs/sha256:0", {}, 501, "takes no files"),
        ("tags", {}, 405, "does not support POST"),
    ],
)
async def test_errors(server: Server, path: str, body: JSON, status: int, said: str) -> None:
    reply = await server.post(f"/api/{path}", body)
    assert (reply.status, said in reply.body["error"]) == (status, True), reply
    assert set(reply.body) == {"error"}


async def test_a_client_that_would_send_a_model_file_is_told(server: Server) -> None:
    assert (await server.call("HEAD", "/api/blobs/sha256:0")).status == 501


async def test_null_means_left_out(server: Server) -> None:
    nulls = dict.fromkeys(("stream", "format", "think", "keep_alive", "options", "tools", "logprobs", "template"))
    message = {"role": "user", "content": "script: words=2", "images": None, "tool_calls": None, "thinking": None}
    reply = await server.post("/api/chat", {"model": "scripted", "messages": [message], **nulls, "stream": False})
    assert (reply.status, reply.body["message"]["content"]) == (200, "".join(prose(2)))
    options = dict.fromkeys(("temperature", "num_predict", "stop", "seed", "num_ctx"))
    body = {"model": "scripted", "prompt": "script: words=2", "options": {**options, "num_predict": 1.0}}
    assert lines((await server.post("/api/generate", body)).raw)[-1]["eval_count"] == 1


async def test_the_client_knows_errors(client: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="no model") as caught:
        await client.chat("gpt", user("x"))
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="as it was told to"):
        async for _ in await client.chat("scripted", user("script: words=9 fail=3"), stream=True):
            pass


async def test_leaving_early_stops_the_engine(server: Server, client: ollama.AsyncClient) -> None:
    async for part in await client.chat("scripted", user("script: words=100000 rate=1000"), stream=True):
        if part.message.content:
            break
    await settled(server)


async def test_a_silent_stream_beats(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_INTERVAL_S", 0.05)
    body = {"model": "scripted", "messages": user("script: words=6 pause=0.5@3")}
    parts = lines((await server.post("/api/chat", body)).raw)
    assert any(part["message"]["content"] == "" for part in parts[:-1])
    assert "".join(part["message"]["content"] for part in parts) == "".join(prose(6))


async def test_a_key_is_needed_where_there_is_one(keyed: Server) -> None:
    async with client_of(keyed) as stranger:
        with pytest.raises(ollama.ResponseError) as caught:
            await stranger.list()
    assert caught.value.status_code == 401
    key = {"Authorization": "Bearer s3crêt".encode()}
    async with client_of(keyed, headers=key) as known:
        assert (await known.list()).models[0].model == "scripted:latest"


async def test_the_second_port_is_where_programs_look_for_ollama(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    async with (
        served_in_process(replace(settings, ollama_port=port)) as address,
        aiohttp.ClientSession() as http,
        client_of(second := Door(f"http://127.0.0.1:{port}", http)) as client,
    ):
        first = Door(address, http)
        assert (await second.get("/")).raw == b"Ollama is running"
        assert (await second.call("HEAD", "/")).status == 200
        assert (await client.list()).models[0].model == "scripted:latest"
        assert (await client.chat("scripted", user("script: words=2"))).message.content == "".join(prose(2))
        stranger = await second.get("/api/tags", {"Host": "evil.example"})
        assert (stranger.status, "evil.example" in stranger.body["error"]) == (403, True)
        assert b"Ollama" not in (await first.get("/")).raw
        assert (await first.call("HEAD", "/")).status == (await first.get("/")).status


async def test_a_second_port_in_use_is_said(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUse, match=r"\(ollama_port\)"):
        async with served_in_process(replace(settings, ollama_port=taken.getsockname()[1])):
            pass


async def test_the_embedded_model_takes_every_option(settings: Settings, model_file: Path) -> None:
    folder = settings.data_dir / "models"
    folder.mkdir(parents=True)
    (folder / model_file.name).symlink_to(model_file)
    name = "smollm2-135m-instruct:latest"
    penalties = {"repeat_penalty": 1.1, "repeat_last_n": 32, "presence_penalty": 0.1, "frequency_penalty": 0.1}
    sampling = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "typical_p": 0.9, "seed": 7}
    options = {**penalties, **sampling, "num_predict": 8, "mirostat": 1, "mirostat_tau": 4.0, "mirostat_eta": 0.2}
    async with serving(replace(settings, embedded=True)) as server, client_of(server) as client:
        await client.chat(name)
        await client.chat(name, user("Name a town."), options={"num_predict": 1})
        first, again = [(await client.chat(name, user("Name a town."), options=options)) for _ in range(2)]
        assert first.message.content == again.message.content != ""
        assert (first.model, first.eval_count, first.done_reason) == (name, 8, "length")
        assert (first.total_duration or 0) > (first.eval_duration or 0) > 1
        for top in (None, 2):
            scored = await client.chat(name, user("Hi."), logprobs=True, top_logprobs=top, options={"num_predict": 3})
            assert "".join(each.token for each in scored.logprobs or ()) == scored.message.content
            assert {len(each.top_logprobs or ()) for each in scored.logprobs or ()} == {top or 0}
        shown = await client.show(name)
        assert (shown.details and shown.details.quantization_level) == "Q4_1"
        assert (shown.modelinfo or {})["llama.context_length"] == settings.embedded_context
        with pytest.raises(ollama.ResponseError, match="does not support insert"):
            await client.generate(name, "def f(", suffix="return 1")
        continued = await client.generate(name, "One, two,", raw=True, options={"num_predict": 4, "temperature": 0})
        assert continued.prompt_eval_count in range(1, 8), "no chat template around it"
        assert [model.model for model in (await client.ps()).models] == [name]
        assert (await client.generate(name, keep_alive=0)).done_reason == "unload"
        assert (await client.ps()).models == []


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
FIELDS = ("messages", "prompt", "stream", "format", "options", "think", "images", "context", "raw", "tools", "input")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    path=st.sampled_from(["chat", "generate", "embed", "show", "pull"]),
    body=st.dictionaries(st.sampled_from(FIELDS), values, max_size=4),
)
async def test_nothing_that_is_sent_is_our_mistake(server: Server, path: str, body: JSON) -> None:
    data = json.dumps({"model": "none" if path == "pull" else "scripted", **body}).encode()
    reply = await server.call("POST", f"/api/{path}", data=data)
    assert reply.status in (200, 400, 404), reply
