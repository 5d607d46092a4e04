"""Messages of others: frames of processes, replies of model servers, and requests."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter

from eclair.documents import parse_protocol
from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import PageRead, ReadDocument
from eclair.errors import UpstreamError
from eclair.llm.base import Delta, Finish, PromptMessage, Reasoning, Request, Text, TokenUsage, ToolCall
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.openai.stream_parser import StreamParser, parse_embeddings
from eclair.schema.documents import Block, Page
from eclair.schema.feeds import Feed, FeedEntry
from eclair.settings import Settings
from eclair.util.frames import FrameError
from eclair.web.feeds import feed_protocol
from tests.documents import photos
from tests.fuzz.target import Attempt, check_sentence
from tests.llm.standin import standing_in
from tests.support import Server, serving
from tests.transfer.support import sample

# Frames between processes


def frames(_: Path) -> dict[str, bytes]:
    page = Page(1, "Käse", (Block("paragraph", 0, 4, 0, None),))
    request = ReadDocument("/tmp/a", "a.pdf", Limits(), 3)
    entry = FeedEntry(key="k", url="https://a.example.org/1", title="T", summary="S", published=1)
    return {
        "results": parse_protocol.PROTOCOL.results.encode(PageRead.pack(page)),
        "requests": parse_protocol.PROTOCOL.requests.encode(request),
        "feeds": feed_protocol.PROTOCOL.results.encode(Feed(title="T", language="de", entries=(entry,))),
    }


@contextlib.asynccontextmanager
async def framing(_: Path) -> AsyncGenerator[Attempt]:
    codecs: dict[str, Any] = {
        "results": parse_protocol.PROTOCOL.results,
        "requests": parse_protocol.PROTOCOL.requests,
        "feeds": feed_protocol.PROTOCOL.results,
    }

    async def attempt(name: str, data: bytes) -> bool:
        with contextlib.suppress(FrameError):
            message = codecs[name].read(io.BytesIO(data))
            if isinstance(message, PageRead):
                message.unpack()
            return message is not None
        return False

    yield attempt


# Streams and other replies of model servers

_DELTAS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Text, Reasoning, ToolCall, TokenUsage, Finish)
}


def check_delta(delta: Delta) -> None:
    """Check that a piece of an answer can be sent on, and is what its type says."""
    assert orjson.dumps(delta)
    plain = replace(delta, logprobs=()) if isinstance(delta, Text) else delta
    assert _DELTAS[type(delta)].validate_json(orjson.dumps(plain), strict=True) == plain


def streams(_: Path) -> dict[str, bytes]:
    def sse(*chunks: Any) -> bytes:
        return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"

    call = {"index": 0, "id": "c", "function": {"name": "draw", "arguments": '{"a":'}}
    logprobs: dict[str, Any] = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": []}]}
    return {
        "chat": sse(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "Hm."}}]},
            {"choices": [{"index": 0, "delta": {"content": "Hello "}, "logprobs": logprobs}]},
            {"choices": [{"index": 0, "delta": {"content": [{"type": "thinking", "thinking": [{"text": "x"}]}]}}]},
            {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]},
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 3,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 1},
                    "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 1},
                },
                "timings": {"predicted_n": 5, "prompt_n": 3, "cache_n": 1, "draft_n": 2},
                "metrics": {"speculative_decoding": {"num_draft_tokens": 3}},
            },
        ),
        "completion": sse({"choices": [{"text": "Hello", "finish_reason": "stop", "stop_reason": "x"}]}),
        "error": b'event: error\ndata: {"error": {"message": "no", "code": 429}}\n\n',
        "embeddings.json": orjson.dumps({"data": [{"index": 0, "embedding": [0.5, 1]}], "usage": {"prompt_tokens": 2}}),
    }


@contextlib.asynccontextmanager
async def streaming(_: Path) -> AsyncGenerator[Attempt]:
    def parse(data: bytes, size: int) -> None:
        parser = StreamParser("far", "Hel")
        pieces: list[Delta] = []
        for at in range(0, len(data), size):
            pieces += parser.feed(data[at : at + size])
            if parser.done:
                break
        for piece in (*pieces, *parser.finish()):
            check_delta(piece)

    async def attempt(name: str, data: bytes) -> bool:
        try:
            if name == "embeddings.json":
                with contextlib.suppress(ValueError):
                    if isinstance(body := orjson.loads(data), dict):
                        parse_embeddings("far", body, 1)  # pyright: ignore[reportUnknownArgumentType]
            else:
                for size in (7, 1 << 20):
                    parse(data, size)
        except UpstreamError as error:
            check_sentence(error.message)
            return False
        return True

    yield attempt


def replies(folder: Path) -> dict[str, bytes]:
    rows = [
        {
            "id": "m",
            "owned_by": "vllm",
            "max_model_len": 4096,
            "meta": {"n_ctx": 2048},
            "capabilities": {"vision": True},
        },
        {"id": "n", "name": "N", "context_length": 8, "architecture": {"input_modalities": ["text", "image"]}},
    ]
    return {
        "models.json": orjson.dumps({"data": rows, "models": [{"model": "m", "capabilities": ["multimodal"]}]}),
        "tokenize.json": orjson.dumps({"count": 3, "tokens": [1, 2, 3]}),
        "refusal.json": orjson.dumps({"error": {"message": "no such model", "code": 404}, "detail": [{"msg": "no"}]}),
        "stream": streams(folder)["chat"],
    }


@contextlib.asynccontextmanager
async def serving_models(_: Path) -> AsyncGenerator[Attempt]:
    async with standing_in() as standin:

        async def attempt(name: str, data: bytes) -> bool:
            engine = OpenAIEngine("far", f"{standin.url}/v1", dialect=DIALECTS[1], idle=5.0, sleep=_no_sleep)
            listing = name if name == "models.json" else ""
            standin.routes = {
                "/v1/models": lambda call: call.reply(200, data if listing else b'{"data": []}'),
                "/tokenize": lambda call: call.reply(200, data),
                "/v1/chat/completions": lambda call: call.reply(400 if name == "refusal.json" else 200, data),
            }
            asked = Request("m", (PromptMessage("user", "Hello?"),))
            try:
                if name == "models.json":
                    await engine.models()
                elif name == "tokenize.json":
                    assert await engine.count("m", "Hello") >= 0
                else:
                    async with contextlib.aclosing(engine.stream(asked)) as deltas:
                        async for delta in deltas:
                            check_delta(delta)
            except UpstreamError as error:
                check_sentence(error.message)
                return False
            finally:
                await engine.close()
            return True

        yield attempt


async def _no_sleep(_: float) -> None:
    pass


# Requests


PATHS = {
    "completions": "/v1/completions",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "count": "/v1/messages/count_tokens",
    "embeddings": "/v1/embeddings",
    "images": "/v1/images/generations",
    "conversations": "/api/conversations",
    "answers": "/api/answers",
    "engines": "/api/engines",
    "preferences": "/api/preferences",
}
_DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA="


def requests(_: Path) -> dict[str, bytes]:
    tool = {
        "name": "find",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    }
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": "b"}'}}
    few = {"model": "scripted", "temperature": 0.5, "top_p": 0.9, "stream": False}
    text = "Hello\nscript: words=2"
    bodies: dict[str, Any] = {
        "completions": {**few, "prompt": text, "max_tokens": 5, "stop": ["x"], "seed": 1},
        "chat": {
            **few,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": _DOT}}],
                },
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
                {"role": "user", "content": text},
            ],
            "tools": [{"type": "function", "function": tool}],
            "tool_choice": "auto",
            "max_tokens": 5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "stop": "x",
            "logprobs": True,
            "top_logprobs": 2,
            "prediction": {"type": "content", "content": "Hello"},
        },
        "responses": {
            **few,
            "instructions": "Be brief.",
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": _DOT}],
                },
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "found"},
                {"role": "user", "content": text},
            ],
            "tools": [{"type": "function", **tool}],
            "max_output_tokens": 16,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "store": False,
        },
        "messages": {
            "model": "scripted",
            "max_tokens": 5,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Find it."},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"a": "b"}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
            ],
            "tools": [{"name": "find", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "auto"},
            "stop_sequences": ["x"],
            "thinking": {"type": "disabled"},
        },
        "count": {"model": "scripted", "messages": [{"role": "user", "content": "Count me."}]},
        "embeddings": {"model": "scripted", "input": ["a", "b"], "encoding_format": "float"},
        "images": {"prompt": "", "n": 1, "size": "256x256", "response_format": "b64_json"},
        "conversations": {"title": "T", "mode": "auto", "turn": {"text": text, "model": "scripted"}},
        "answers": {"messages": [{"role": "user", "text": text}], "mode": "auto"},
        "engines": {"name": "far", "url": "http://127.0.0.1:9/v1", "key": "k"},
        "preferences": {"version": 0, "theme": "dark", "language": "de", "instructions": "Be brief."},
    }
    return {name: orjson.dumps(body) for name, body in bodies.items()}


@contextlib.asynccontextmanager
async def requesting(folder: Path) -> AsyncGenerator[Attempt]:
    settings = Settings(
        data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=20, egress="offline"
    )
    async with serving(settings) as server:

        async def attempt(name: str, data: bytes) -> bool:
            return await _request(server, name, data)

        yield attempt


async def _request(server: Server, name: str, data: bytes) -> bool:
    method = "PUT" if name == "preferences" else "POST"
    reply = await server.call(method, PATHS[name], data=data)
    assert reply.status < 500, (reply.status, reply.raw[:500])
    if reply.status >= 400:
        check_sentence(reply.error["message"])
        return False
    if name == "engines":
        await server.call("DELETE", f"{PATHS[name]}/{quote(reply.body['name'], safe='')}")
    return True


def uploads(_: Path) -> dict[str, bytes]:
    def part(head: str, body: bytes) -> bytes:
        return f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"

    dot = photos.encoded(photos.quarters(8), "PNG")
    text = 'name="file"; filename="bees.md"\r\nContent-Type: text/markdown'
    return {
        "form": part('name="purpose"', b"user_data") + part(text, b"# Bees\n\nBees make honey.") + b"--b--\r\n",
        "marks": part('name="file"; filename="a.png"', dot) + b"--b--\r\n",
        "export": sample("claude"),
    }


@contextlib.asynccontextmanager
async def uploading(folder: Path) -> AsyncGenerator[Attempt]:
    paths = {"form": "/v1/files", "marks": "/api/marks/check", "export": "/api/imports"}
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    settings = Settings(data_dir=folder / "data", embedded=False, scripted=True, egress="offline")
    # Starlette leaves the files of a broken form to the garbage collector.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        async with serving(settings) as server:

            async def attempt(name: str, data: bytes) -> bool:
                reply = await server.call("POST", paths[name], data=data, headers=form if name != "export" else None)
                assert reply.status < 500, (reply.status, reply.raw[:500])
                if reply.status >= 400:
                    check_sentence(reply.error["message"])
                    return False
                if name == "form":
                    assert (await server.call("DELETE", f"/v1/files/{reply.body['id']}")).status == 200
                elif name == "export":
                    events = await server.call("POST", f"/api/imports/{reply.body['id']}")
                    assert b'"finished"' in events.raw, events.raw[-500:]
                return True

            yield attempt
