"""Embeddings in OpenAI's dialect, asked for by its own client."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import struct
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import openai
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from eclair.settings import EngineSettings, Settings
from tests.llm.standin import Call, standing_in
from tests.server.test_v1 import client_of, exact
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def alike(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_texts_to_vectors(server: Server, client: openai.AsyncOpenAI) -> None:
    reply = await client.embeddings.create(model="scripted", input=["a river and a bridge", "A bridge", "bread"])
    river, bridge, bread = [row.embedding for row in reply.data]
    assert [row.index for row in reply.data] == [0, 1, 2]
    assert (reply.model, reply.usage.prompt_tokens, reply.usage.total_tokens) == ("scripted", 8, 8)
    assert math.hypot(*river) == pytest.approx(1, abs=1e-6)
    assert alike(river, bridge) > 0.5 > alike(river, bread)
    raw = (await server.post("/v1/embeddings", {"model": "scripted", "input": "bread"})).body
    exact(CreateEmbeddingResponse, raw)
    assert raw["data"][0]["embedding"] == pytest.approx(bread, abs=1e-6)


async def test_base64_is_the_same_in_four_bytes(server: Server, client: openai.AsyncOpenAI) -> None:
    body = {"model": "scripted", "input": "bread", "dimensions": 8, "user": "ada"}
    floats = (await server.post("/v1/embeddings", {**body, "encoding_format": "float"})).body["data"][0]["embedding"]
    packed = (await server.post("/v1/embeddings", {**body, "encoding_format": "base64"})).body["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(floats, abs=1e-6)
    for encoding in ("float", "base64"):
        reply = await client.embeddings.create(model="scripted", input="bread", dimensions=8, encoding_format=encoding)
        assert len(reply.data) == 1


@pytest.mark.parametrize(
    ("field", "value", "param", "message"),
    [
        ("input", [1, 2], "input", "token ids"),
        ("input", [[1, 2]], "input", "token ids"),
        ("input", "", "input.0", "at least 1"),
        ("input", [], "input", "at least 1"),
        ("input", ["x"] * 2049, "input", "at most 2048"),
        ("input", 5, "input", "list"),
        ("encoding_format", "hex", "encoding_format", "base64"),
        ("dimensions", 0, "dimensions", "greater"),
        ("truncate", True, "truncate", "does not know"),
    ],
)
async def test_what_is_wrong_is_named(
    client: openai.AsyncOpenAI, field: str, value: Any, param: str, message: str
) -> None:
    body = {"input": "x", field: value}
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        await client.embeddings.create(model="scripted", input="x", extra_body=body)
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


async def test_an_unknown_model_names_those_that_there_are(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Available: scripted") as caught:
        await client.embeddings.create(model="gpt-9", input="x")
    assert caught.value.code == "model_not_found"


async def test_a_server_is_asked_in_handfuls_and_left_when_the_client_leaves(settings: Settings) -> None:
    gone = asyncio.Event()

    async def vectors(call: Call) -> None:
        texts = call.json["input"]
        if texts == ["slow"]:
            assert await call.gone()
            gone.set()
            return
        rows = [{"index": index, "embedding": [1, float(len(text))]} for index, text in enumerate(texts)]
        body = {"data": rows[::-1], "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}}
        await call.reply(200, json.dumps(body).encode())

    async with standing_in() as standin:
        standin.routes = {"/v1/embeddings": vectors}
        engine = EngineSettings(url=f"{standin.url}/v1", models=("words",))
        async with serving(replace(settings, engines={"rack": engine})) as server, client_of(server) as client:
            reply = await client.embeddings.create(model="words", input=["x" * (at + 1) for at in range(70)])
            assert [row.embedding for row in reply.data] == [[1.0, at + 1.0] for at in range(70)]
            assert reply.usage.total_tokens == 70
            asked = [call.json for call in standin.calls if call.path == "/v1/embeddings"]
            assert [len(body["input"]) for body in asked] == [32, 32, 6]
            assert set(asked[0]) == {"model", "input"}
            with pytest.raises(openai.BadRequestError, match="have 2 numbers and no other length") as caught:
                await client.embeddings.create(model="words", input="x", dimensions=3)
            assert caught.value.param == "dimensions"
            assert standin.calls[-1].json["dimensions"] == 3
            leaving = asyncio.create_task(server.post("/v1/embeddings", {"model": "words", "input": "slow"}))
            while standin.calls[-1].json.get("input") != ["slow"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            leaving.cancel()
            async with asyncio.timeout(5):
                await gone.wait()


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    body=st.dictionaries(st.sampled_from(["input", "encoding_format", "dimensions", "user"]), values, max_size=4),
    text=st.text(max_size=20),
)
async def test_nothing_that_is_sent_is_our_mistake(server: Server, body: Any, text: str) -> None:
    whole = {"model": "scripted", "input": text, **body}
    reply = await server.call("POST", "/v1/embeddings", data=json.dumps(whole).encode())
    assert reply.status in (200, 400), reply
